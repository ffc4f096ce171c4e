package io.github.sendpath;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Path;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The same from Java, without a coroutine in sight. */
class JavaUseTest {
    @TempDir Path folder;

    @Test
    void sendsAndReadsTheOutcome() throws Exception {
        try (var server = new ModelServer();
                var engine = Engine.openBlocking(folder.resolve("state.db").toString())) {
            var account = engine.accountBlocking("main", server.options());
            account.connect();
            for (Event event; !((event = next(account)) instanceof Event.Connected); ) {
                if (event instanceof Event.PairQr qr) {
                    server.order("scan_qr", "\"qr\": \"" + qr.getText() + "\"");
                }
            }
            var accepted = account.sendTextAsync("4915550001", "hello").get(60, TimeUnit.SECONDS);
            assertNotNull(accepted.getId());
            server.order("set_gate", "\"peer\": \"4915550001\", \"gate\": {\"refuse\": 403}");
            var refused = account.sendTextAsync("4915550001", "hello");
            var error = assertThrows(CompletionException.class, refused::join).getCause();
            var refusal = assertInstanceOf(RefusedException.class, error);
            assertEquals(Cause.NOT_ALLOWED, refusal.getReason());
            assertEquals(403, refusal.getCode());
        }
    }

    private static Event next(Account account) throws Exception {
        return account.nextEventAsync().get(60, TimeUnit.SECONDS);
    }
}
