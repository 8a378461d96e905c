import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Base64;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Java's own HTTP client, with the .p12 file as key store. It is told where the host is by -Djdk.net.hosts.file. */
public final class Ask {
    public static void main(String[] arguments) throws Exception {
        URI uri = URI.create("https://" + arguments[0] + ":" + arguments[1] + "/");
        TrustManagerFactory trusted = trusted(arguments[2]);
        BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = questions.readLine(); line != null; line = questions.readLine()) {
            try {
                SSLContext context = SSLContext.getInstance("TLS");
                context.init(identity(line.split("\t")), trusted.getTrustManagers(), null);
                HttpClient client = HttpClient.newBuilder().sslContext(context).build();
                HttpResponse<byte[]> answer =
                    client.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofByteArray());
                answered(answer.statusCode(), answer.body());
            } catch (Exception error) {
                answered(0, error.toString().getBytes(StandardCharsets.UTF_8));
            }
        }
        System.exit(0);
    }

    private static TrustManagerFactory trusted(String ca) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null);
        try (InputStream file = new FileInputStream(ca)) {
            store.setCertificateEntry("server", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        TrustManagerFactory trusted = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trusted.init(store);
        return trusted;
    }

    private static KeyManager[] identity(String[] question) throws Exception {
        if (question[0].equals("none")) {
            return null;
        }
        char[] password = Files.readString(Path.of(question[2])).toCharArray();
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (InputStream file = new FileInputStream(question[1])) {
            store.load(file, password);
        }
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, password);
        return keys.getKeyManagers();
    }

    private static void answered(int status, byte[] body) {
        System.out.println(status + "\t" + Base64.getEncoder().encodeToString(body));
    }
}
