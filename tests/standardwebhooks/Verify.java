import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Tries the code of docs/webhooks.md with a signed request; an altered one must be refused. */
final class Verify {
    public static void main(String[] args) throws Exception {
        List<String> lines = Files.readAllLines(Path.of(args[0]));
        String id = lines.get(0), timestamp = lines.get(1), signatures = lines.get(2), body = lines.get(3);
        List<String> secrets = lines.subList(4, lines.size());
        String stale = Long.toString(Long.parseLong(timestamp) - 600);
        for (String secret : secrets) {
            expect(true, BeianWebhook.isOurs(secret, id, timestamp, signatures, body), "the signed request");
            expect(false, BeianWebhook.isOurs(secret, id, timestamp, signatures, body + " "), "an altered body");
            expect(false, BeianWebhook.isOurs(secret, "other", timestamp, signatures, body), "another id");
            expect(false, BeianWebhook.isOurs(secret, id, stale, signatures, body), "an old time");
            expect(false, BeianWebhook.isOurs(secret, id, "soon", signatures, body), "a time that is none");
            expect(false, BeianWebhook.isOurs(secret, id, timestamp, "v1,", body), "no signature");
            expect(false, BeianWebhook.isOurs(secret, id, timestamp, "", body), "an empty signature");
            String other = "whsec_" + "A".repeat(43) + "=";
            expect(false, BeianWebhook.isOurs(other, id, timestamp, signatures, body), "another secret");
        }
        System.out.println("java: verified with " + secrets.size() + " secrets");
    }

    private static void expect(boolean wanted, boolean found, String what) {
        if (wanted != found) {
            throw new AssertionError(what + (found ? " passes" : " is refused"));
        }
    }
}
