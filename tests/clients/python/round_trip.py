"""Sends a letter by submission and reads it back by IMAP, with nothing but Python's own library.

usage: round_trip.py DEMO_ENV LETTER
"""

import imaplib
import smtplib
import ssl
import sys

settings = dict(line.rstrip("\n").split("=", 1) for line in open(sys.argv[1], encoding="ascii"))
letter = open(sys.argv[2], "rb").read()
trust = ssl.create_default_context(cafile=settings["CA_FILE"])
sender, recipient = settings["USER1"], settings["USER2"]

# STARTTLS, then the same over implicit TLS with a wrong password.
with smtplib.SMTP("localhost", int(settings["SUBMISSION_PORT"])) as smtp:
    smtp.starttls(context=trust)
    smtp.login(sender, settings["PASSWORD1"])
    refused = smtp.sendmail(sender, [recipient], letter, mail_options=["BODY=8BITMIME"])
    assert not refused, refused
with smtplib.SMTP_SSL("localhost", int(settings["SUBMISSIONS_PORT"]), context=trust) as smtp:
    try:
        smtp.login(sender, "not-the-password")
        raise AssertionError("a wrong password was right")
    except smtplib.SMTPAuthenticationError as error:
        assert error.smtp_code == 535, error
    smtp.login(sender, settings["PASSWORD1"])
    try:
        smtp.sendmail(recipient, [recipient], letter)
        raise AssertionError("sent in another's name")
    except smtplib.SMTPException as error:
        assert "5.7.1" in str(error), error


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


with imaplib.IMAP4("localhost", int(settings["IMAP_PORT"])) as imap:
    assert "LOGINDISABLED" in imap.capabilities, imap.capabilities
    imap.starttls(ssl_context=trust)
    imap.login(recipient, settings["PASSWORD2"])
    ok(imap.select("INBOX"))
    number = ok(imap.search(None, "ALL"))[0].split()[-1]
    stored = ok(imap.fetch(number, "(BODY.PEEK[])"))[0][1]
    assert stored.endswith(letter), "other octets than were sent"
    assert b"BODYSTRUCTURE" in ok(imap.fetch(number, "(BODYSTRUCTURE)"))[0]
    ok(imap.store(number, "+FLAGS", r"(\Seen \Flagged)"))
    ok(imap.create("Copies"))
    ok(imap.copy(number, "Copies"))
    ok(imap.append("Copies", r"(\Draft)", None, letter))
    ok(imap.select("Copies"))
    assert ok(imap.search(None, "DRAFT")) == [b"2"]
    assert ok(imap.fetch("2", "(RFC822)"))[0][1] == letter
    assert b"\\Flagged" in ok(imap.fetch("1", "(FLAGS)"))[0]
    ok(imap.store("1", "+FLAGS", r"(\Deleted)"))
    ok(imap.expunge())
    ok(imap.close())
    ok(imap.delete("Copies"))
    imap.logout()

print("round trip complete")
