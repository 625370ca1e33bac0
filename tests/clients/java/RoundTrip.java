import jakarta.mail.*;
import jakarta.mail.internet.*;
import jakarta.mail.search.*;
import java.io.*;
import java.nio.file.*;
import java.security.KeyStore;
import java.security.cert.*;
import java.util.*;
import javax.net.ssl.*;

/** Sends a letter with Jakarta Mail and reads it back. Usage: RoundTrip DEMO_ENV LETTER */
public class RoundTrip {
    public static void main(String[] arguments) throws Exception {
        Properties settings = new Properties();
        try (Reader reader = Files.newBufferedReader(Path.of(arguments[0]))) {
            settings.load(reader);
        }
        byte[] letter = Files.readAllBytes(Path.of(arguments[1]));
        SSLSocketFactory trust = trusting(settings.getProperty("CA_FILE"));

        Properties properties = new Properties();
        for (String protocol : List.of("smtp", "smtps", "imap", "imaps")) {
            properties.put("mail." + protocol + ".ssl.socketFactory", trust);
            properties.put("mail." + protocol + ".ssl.checkserveridentity", "true");
            properties.put("mail." + protocol + ".starttls.enable", "true");
            properties.put("mail." + protocol + ".starttls.required", "true");
        }
        properties.put("mail.smtp.allow8bitmime", "true");
        properties.put("mail.smtp.localhost", "client.example");
        Session session = Session.getInstance(properties);

        // Jakarta Mail would write its own Message-ID over ours.
        MimeMessage message = new MimeMessage(session, new ByteArrayInputStream(letter)) {
            @Override protected void updateMessageID() { }
            @Override public void saveChanges() { saved = true; modified = false; }
        };
        try (Transport transport = session.getTransport("smtp")) {
            transport.connect("localhost", port(settings, "SUBMISSION_PORT"), settings.getProperty("USER1"), settings.getProperty("PASSWORD1"));
            transport.sendMessage(message, new Address[] {new InternetAddress(settings.getProperty("USER2"))});
        }
        try (Transport transport = session.getTransport("smtps")) {
            transport.connect("localhost", port(settings, "SUBMISSIONS_PORT"), settings.getProperty("USER1"), "not-the-password");
            throw new AssertionError("a wrong password was right");
        } catch (AuthenticationFailedException expected) {
            check(expected.getMessage().contains("535"), expected.getMessage());
        }

        for (String protocol : List.of("imap", "imaps")) {
            try (Store store = session.getStore(protocol)) {
                store.connect("localhost", port(settings, protocol.toUpperCase() + "_PORT"), settings.getProperty("USER2"), settings.getProperty("PASSWORD2"));
                Folder inbox = store.getFolder("INBOX");
                inbox.open(Folder.READ_WRITE);
                Message[] found = inbox.search(new SubjectTerm("opération"));
                check(found.length == 1, found.length + " found");
                check(found[0].getContent() instanceof Multipart parts && parts.getCount() == 2, "not two parts");
                check("report.pdf".equals(((Multipart) found[0].getContent()).getBodyPart(1).getFileName()), "no report.pdf");
                ByteArrayOutputStream stored = new ByteArrayOutputStream();
                found[0].writeTo(stored);
                check(endsWith(stored.toByteArray(), letter), "other octets than were sent");
                found[0].setFlag(Flags.Flag.FLAGGED, true);

                Folder copies = store.getFolder("Dossiers médicaux");
                check(copies.create(Folder.HOLDS_MESSAGES), "no folder");
                inbox.copyMessages(found, copies);
                copies.appendMessages(new Message[] {new MimeMessage(session, new ByteArrayInputStream(letter))});
                copies.open(Folder.READ_WRITE);
                check(copies.getMessageCount() == 2, copies.getMessageCount() + " copies");
                check(copies.getMessage(1).isSet(Flags.Flag.FLAGGED), "the copy lost its flag");
                ByteArrayOutputStream appended = new ByteArrayOutputStream();
                copies.getMessage(2).writeTo(appended);
                check(Arrays.equals(appended.toByteArray(), letter), "an appended message was changed");
                copies.getMessage(1).setFlag(Flags.Flag.DELETED, true);
                check(copies.expunge().length == 1, "nothing expunged");
                copies.close(false);
                check(copies.delete(false), "the folder stays");
                inbox.close(false);
            }
        }
        System.out.println("round trip complete");
    }

    static int port(Properties settings, String key) {
        return Integer.parseInt(settings.getProperty(key));
    }

    static void check(boolean right, String otherwise) {
        if (!right) throw new AssertionError(otherwise);
    }

    static boolean endsWith(byte[] whole, byte[] end) {
        return whole.length >= end.length && Arrays.equals(whole, whole.length - end.length, whole.length, end, 0, end.length);
    }

    static SSLSocketFactory trusting(String authorities) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (InputStream in = Files.newInputStream(Path.of(authorities))) {
            int count = 0;
            for (Certificate certificate : CertificateFactory.getInstance("X.509").generateCertificates(in)) {
                store.setCertificateEntry("authority" + count++, certificate);
            }
        }
        TrustManagerFactory managers = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        managers.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, managers.getTrustManagers(), null);
        return context.getSocketFactory();
    }
}
