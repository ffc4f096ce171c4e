/* A host with its own SQLite and another Rust library: each works on its own copy. */
#include "check.h"

uint32_t other_catches(uint32_t n);
const char *sqlite3_libversion(void);
int sqlite3_open(const char *path, void **database);
int sqlite3_open_v2(const char *path, void **database, int flags, const char *vfs);
int sqlite3_prepare_v3(void *database, const char *sql, int len, unsigned flags, void **statement,
                       const char **tail);
int sqlite3_step(void *statement);
int sqlite3_exec(void *database, const char *sql, int (*row)(void *, int, char **, char **), void *ctx,
                 char **message);

static int taken;

/* SQLITE_ERROR */
static int take(void) {
    taken++;
    return 1;
}

const char *sqlite3_libversion(void) {
    return "9.99.9";
}

int sqlite3_open(const char *path, void **database) {
    (void)path;
    (void)database;
    return take();
}

int sqlite3_open_v2(const char *path, void **database, int flags, const char *vfs) {
    (void)path;
    (void)database;
    (void)flags;
    (void)vfs;
    return take();
}

int sqlite3_prepare_v3(void *database, const char *sql, int len, unsigned flags, void **statement,
                       const char **tail) {
    (void)database;
    (void)sql;
    (void)len;
    (void)flags;
    (void)statement;
    (void)tail;
    return take();
}

int sqlite3_step(void *statement) {
    (void)statement;
    return take();
}

int sqlite3_exec(void *database, const char *sql, int (*row)(void *, int, char **, char **), void *ctx,
                 char **message) {
    (void)database;
    (void)sql;
    (void)row;
    (void)ctx;
    (void)message;
    return take();
}

int main(int argc, char **argv) {
    int i;
    CHECK(argc == 2);
    CHECK(other_catches(10) == 1);
    for (i = 0; i < 2; i++) {
        sp_engine engine = open_engine(argv[1]);
        sp_account account = open_account(engine, "a");
        EXPECT(SP_STATUS_OK, sp_account_close(account, &err));
        EXPECT(SP_STATUS_OK, sp_engine_close(engine, &err));
    }
    CHECK(other_catches(10) == 1);
    CHECK(strcmp(sqlite3_libversion(), "9.99.9") == 0);
    CHECK(taken == 0);
    return 0;
}
