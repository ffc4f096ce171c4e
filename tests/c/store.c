/* A store of the host: it is asked for everything, its failures are told, it is freed once. */
#include "check.h"

#define MAX_ROWS 512

struct row {
    char scope[128];
    uint32_t ns;
    uint8_t id[128];
    size_t id_len;
    uint8_t *data;
    size_t len;
};

struct memory {
    struct row rows[MAX_ROWS];
    size_t count;
    char scopes[16][128];
    uint64_t generations[16];
    int calls;
    int frees;
    int fail;
    /* Is called inside a commit, and what it says. */
    sp_guest inside;
    sp_status inside_status;
};

static int same_bytes(sp_slice slice, const void *wanted, size_t len) {
    return slice.len == len && (len == 0 || memcmp(slice.ptr, wanted, len) == 0);
}

static uint64_t *generation(struct memory *memory, sp_slice scope) {
    size_t i;
    for (i = 0; i < 16 && memory->scopes[i][0] != 0; i++) {
        if (same(scope, memory->scopes[i])) {
            return &memory->generations[i];
        }
    }
    CHECK(i < 16 && scope.len < sizeof memory->scopes[i]);
    memcpy(memory->scopes[i], scope.ptr, scope.len);
    return &memory->generations[i];
}

static struct row *find(struct memory *memory, sp_slice scope, uint32_t ns, sp_slice id) {
    size_t i;
    for (i = 0; i < memory->count; i++) {
        struct row *row = &memory->rows[i];
        if (row->data != NULL && row->ns == ns && same(scope, row->scope) &&
            same_bytes(id, row->id, row->id_len)) {
            return row;
        }
    }
    return NULL;
}

static int failing(struct memory *memory, sp_buf *failure) {
    memory->calls++;
    if (memory->fail) {
        CHECK(sp_buf_set(failure, text("the disk is on fire"), NULL) == SP_STATUS_OK);
    }
    return memory->fail;
}

static int32_t acquire(void *ctx, sp_slice scope, uint64_t *out, sp_buf *failure) {
    struct memory *memory = (struct memory *)ctx;
    if (failing(memory, failure)) {
        return memory->fail;
    }
    *out = ++*generation(memory, scope);
    return SP_STORE_RESULT_OK;
}

static int32_t get(void *ctx, sp_slice scope, uint32_t ns, sp_slice id, sp_buf *out, sp_buf *failure) {
    struct memory *memory = (struct memory *)ctx;
    struct row *row = find(memory, scope, ns, id);
    if (failing(memory, failure)) {
        return memory->fail;
    }
    if (row == NULL) {
        return SP_STORE_RESULT_ABSENT;
    }
    CHECK(sp_buf_set(out, bytes(row->data, row->len), NULL) == SP_STATUS_OK);
    return SP_STORE_RESULT_OK;
}

static int compare(const void *a, const void *b) {
    const struct row *left = *(const struct row *const *)a;
    const struct row *right = *(const struct row *const *)b;
    size_t len = left->id_len < right->id_len ? left->id_len : right->id_len;
    int order = memcmp(left->id, right->id, len);
    return order != 0 ? order : (int)left->id_len - (int)right->id_len;
}

static int32_t scan(void *ctx, sp_slice scope, uint32_t ns, sp_slice prefix, sp_slice after,
                    size_t limit, sp_rows *rows, sp_buf *failure) {
    struct memory *memory = (struct memory *)ctx;
    const struct row *found[MAX_ROWS];
    struct row bound;
    const struct row *bound_at = &bound;
    size_t count = 0, i;
    if (failing(memory, failure)) {
        return memory->fail;
    }
    CHECK(after.len <= sizeof bound.id);
    bound.id_len = after.len;
    if (after.len > 0) {
        memcpy(bound.id, after.ptr, after.len);
    }
    for (i = 0; i < memory->count; i++) {
        const struct row *row = &memory->rows[i];
        if (row->data != NULL && row->ns == ns && same(scope, row->scope) &&
            row->id_len >= prefix.len &&
            (prefix.len == 0 || memcmp(row->id, prefix.ptr, prefix.len) == 0) &&
            (after.len == 0 || compare(&row, &bound_at) > 0)) {
            found[count++] = row;
        }
    }
    qsort(found, count, sizeof found[0], compare);
    for (i = 0; i < count && i < limit; i++) {
        sp_status status = sp_rows_add(rows, bytes(found[i]->id, found[i]->id_len),
                                       bytes(found[i]->data, found[i]->len), NULL);
        CHECK(status == SP_STATUS_OK);
    }
    return SP_STORE_RESULT_OK;
}

static void write_row(struct memory *memory, const sp_change *change) {
    struct row *row = find(memory, change->scope, change->ns, change->id);
    if (row == NULL) {
        if (change->remove) {
            return;
        }
        CHECK(memory->count < MAX_ROWS);
        row = &memory->rows[memory->count++];
        CHECK(change->scope.len < sizeof row->scope && change->id.len <= sizeof row->id);
        memcpy(row->scope, change->scope.ptr, change->scope.len);
        memcpy(row->id, change->id.ptr, change->id.len);
        row->id_len = change->id.len;
        row->ns = change->ns;
    }
    free(row->data);
    row->data = NULL;
    if (!change->remove) {
        row->len = change->row.len;
        row->data = (uint8_t *)malloc(row->len + 1);
        CHECK(row->data != NULL);
        memcpy(row->data, change->row.ptr, row->len);
    }
}

static int32_t commit(void *ctx, const sp_change *changes, size_t change_count,
                      const sp_fence *fences, size_t fence_count, sp_buf *failure) {
    struct memory *memory = (struct memory *)ctx;
    size_t i;
    if (failing(memory, failure)) {
        return memory->fail;
    }
    CHECK(fence_count > 0);
    memory->inside_status = sp_guest_tick(memory->inside, NULL);
    for (i = 0; i < fence_count; i++) {
        if (*generation(memory, fences[i].scope) != fences[i].generation) {
            return SP_STORE_RESULT_FENCED;
        }
    }
    for (i = 0; i < change_count; i++) {
        write_row(memory, &changes[i]);
    }
    return SP_STORE_RESULT_OK;
}

static void freed(void *ctx) {
    ((struct memory *)ctx)->frees++;
}

static struct memory memory;

static sp_store table(void) {
    sp_store store;
    memset(&store, 0, sizeof store);
    store.struct_size = sizeof store;
    store.ctx = &memory;
    store.acquire = acquire;
    store.get = get;
    store.scan = scan;
    store.commit = commit;
    store.free = freed;
    return store;
}

static sp_engine open_on_memory(void) {
    sp_engine engine = {0};
    sp_engine_config config;
    sp_store store = table();
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    config.store = &store;
    EXPECT(SP_STATUS_OK, sp_engine_open(&config, &engine, &err));
    return engine;
}

/* The host's functions run inside the guest's calls; the store is freed with the last guest on it. */
static void guests(void) {
    sp_guest guest = {0}, beside = {0};
    sp_guest_config config;
    sp_store store = table();
    sp_slice peer = text("100000000000001@lid");
    sp_plan *plan = NULL;
    int frees = memory.frees;
    memset(&config, 0, sizeof config);
    config.struct_size = sizeof config;
    config.store = &store;
    config.name = text("a");
    config.own_lid = text("900000000000009@lid");
    config.clock = SP_CLOCK_MANUAL;
    config.unix_ms = (int64_t)1786074400 * 1000;
    memory.fail = SP_STORE_RESULT_FAILED;
    EXPECT(SP_STATUS_STORE_HOST, sp_guest_open(&config, &guest, &err));
    CHECK(memory.frees == frees);
    memory.fail = 0;
    EXPECT(SP_STATUS_OK, sp_guest_open(&config, &guest, &err));
    config.store = NULL;
    config.beside = guest;
    config.name = text("b");
    EXPECT(SP_STATUS_OK, sp_guest_open(&config, &beside, &err));

    memory.inside = guest;
    EXPECT(SP_STATUS_OK, sp_guest_token_received(guest, peer, text("t"), 1786074400, &err));
    CHECK(memory.inside_status == SP_STATUS_WOULD_DEADLOCK);
    memory.fail = SP_STORE_RESULT_FULL;
    EXPECT(SP_STATUS_STORE_FULL, sp_guest_salt_changed(guest, text("salt"), &err));
    EXPECT(SP_STATUS_OK, sp_guest_plan(guest, peer, 0, 0, &plan, &err));
    CHECK(sp_plan_attach(plan) == SP_ATTACH_NOTHING && sp_plan_refusal(plan) == NULL);
    sp_plan_free(plan);
    memory.fail = 0;
    EXPECT(SP_STATUS_OK, sp_guest_plan(guest, peer, 0, 0, &plan, &err));
    CHECK(sp_plan_attach(plan) == SP_ATTACH_TCTOKEN);
    sp_plan_free(plan);
    EXPECT(SP_STATUS_OK, sp_guest_close(guest, &err));
    CHECK(memory.frees == frees);
    EXPECT(SP_STATUS_OK, sp_guest_close(beside, &err));
    CHECK(memory.frees == frees + 1);
}

int main(void) {
    sp_engine engine = open_on_memory();
    sp_account account = open_account(engine, "kept");
    sp_error *error = NULL;
    sp_account none = {0};
    size_t rows = memory.count, i;
    CHECK(memory.calls > 0 && rows > 0);
    EXPECT(SP_STATUS_OK, sp_account_close(account, &err));

    memory.fail = SP_STORE_RESULT_FAILED;
    CHECK(sp_account_open(engine, text("other"), NULL, &none, &error) == SP_STATUS_STORE_HOST);
    CHECK(strstr((const char *)sp_error_message(error).ptr, "the disk is on fire") != NULL);
    sp_error_free(error);
    memory.fail = SP_STORE_RESULT_BUSY;
    EXPECT(SP_STATUS_STORE_BUSY, sp_account_open(engine, text("other"), NULL, &none, &err));
    memory.fail = 4711;
    EXPECT(SP_STATUS_STORE_HOST, sp_account_open(engine, text("other"), NULL, &none, &err));
    memory.fail = 0;
    CHECK(none.handle == 0);

    CHECK(memory.frees == 0);
    EXPECT(SP_STATUS_OK, sp_engine_close(engine, &err));
    CHECK(memory.frees == 1);

    /* The same rows, opened again: the account finds its keys and makes no new ones. */
    engine = open_on_memory();
    account = open_account(engine, "kept");
    CHECK(memory.count == rows);
    EXPECT(SP_STATUS_OK, sp_account_close(account, &err));
    EXPECT(SP_STATUS_OK, sp_engine_close(engine, &err));
    CHECK(memory.frees == 2);
    guests();

    for (i = 0; i < memory.count; i++) {
        free(memory.rows[i].data);
    }
    return 0;
}
