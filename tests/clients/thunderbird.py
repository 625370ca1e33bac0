#!/usr/bin/env python3
"""Drives the real Thunderbird against a running demo: signs in, waits for mail, sends, and compares what it shows.

usage: thunderbird.py DEMO_ENV

Thunderbird runs under Xvfb with a new profile and is driven over its Marionette port, in its own privileged JavaScript:
the same code paths as its windows. Prints one line per step and ends with status 0 when every step held.
"""
import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

STEP_SECONDS_MAX = 60


class Marionette:
    """The remote protocol of Mozilla programs: `length:json` frames over TCP, one answer per command."""

    def __init__(self, port):
        self.number = 0
        for _ in range(STEP_SECONDS_MAX * 4):
            try:
                self.socket = socket.create_connection(("127.0.0.1", port), timeout=STEP_SECONDS_MAX * 2)
                break
            except OSError:
                time.sleep(0.25)
        else:
            raise SystemExit("Thunderbird did not open its Marionette port")
        self.buffer = b""
        self.receive()
        self.command("WebDriver:NewSession", {})
        self.command("Marionette:SetContext", {"value": "chrome"})
        self.command("WebDriver:SetTimeouts", {"script": STEP_SECONDS_MAX * 1000})

    def receive(self):
        while b":" not in self.buffer:
            self.buffer += self.read()
        length, _, self.buffer = self.buffer.partition(b":")
        while len(self.buffer) < int(length):
            self.buffer += self.read()
        frame, self.buffer = self.buffer[: int(length)], self.buffer[int(length):]
        return json.loads(frame)

    def read(self):
        data = self.socket.recv(65536)
        if not data:
            raise SystemExit("Thunderbird closed its Marionette port")
        return data

    def command(self, name, parameters):
        self.number += 1
        frame = json.dumps([0, self.number, name, parameters]).encode()
        self.socket.sendall(str(len(frame)).encode() + b":" + frame)
        _, _, error, result = self.receive()
        if error:
            raise SystemExit(f"{name}: {error['error']}: {error['message']}")
        return result

    def script(self, body, *arguments):
        """Runs the body of an async function; its return value comes back."""
        wrapped = (
            "const done = arguments[arguments.length - 1]; const args = Array.from(arguments).slice(0, -1);"
            "(async () => {" + body + "})().then(v => done({value: v}), e => done({error: String(e) + '\\n' + (e.stack || '')}));"
        )
        result = self.command(
            "WebDriver:ExecuteAsyncScript", {"script": wrapped, "args": list(arguments), "sandbox": "system"}
        )["value"]
        if result is None:
            raise SystemExit("in Thunderbird: the script did not answer")
        if "error" in result:
            raise SystemExit("in Thunderbird: " + result["error"])
        return result.get("value")


SETUP = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const [s] = args;
const db = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
db.addCertFromBase64(s.authority, "CT,CT,CT");
const login = async (origin) => {
  const info = Cc["@mozilla.org/login-manager/loginInfo;1"].createInstance(Ci.nsILoginInfo);
  info.init(origin, null, origin, s.user, s.password, "", "");
  await Services.logins.addLoginAsync(info);
};
await login("imap://" + s.host);
await login("smtp://" + s.host);
const server = MailServices.accounts.createIncomingServer(s.user, s.host, "imap");
server.port = s.imapPort;
server.socketType = Ci.nsMsgSocketType.SSL;
server.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
const outgoing = MailServices.outgoingServer.createServer("smtp");
outgoing.QueryInterface(Ci.nsISmtpServer);
outgoing.hostname = s.host;
outgoing.port = s.smtpPort;
outgoing.username = s.user;
outgoing.socketType = Ci.nsMsgSocketType.SSL;
outgoing.authMethod = Ci.nsMsgAuthMethod.passwordCleartext;
const identity = MailServices.accounts.createIdentity();
identity.email = s.user;
identity.fullName = "Thunderbird";
identity.smtpServerKey = outgoing.key;
const account = MailServices.accounts.createAccount();
account.addIdentity(identity);
account.incomingServer = server;
return server.key;
"""

FOLDERS = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.getIncomingServer(args[0]);
MailServices.imap.selectFolder(server.rootFolder.subFolders[0], null, null);
for (let i = 0; i < 200; i++) {
  const names = server.rootFolder.subFolders.map(f => [f.name, f.flags]);
  if (names.length >= 6) { return names; }
  await new Promise(r => window.setTimeout(r, 100));
}
return server.rootFolder.subFolders.map(f => [f.name, f.flags]);
"""

MESSAGES = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.getIncomingServer(args[0]);
const inbox = server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
for (let i = 0; i < 300; i++) {
  if (i % 20 === 0) { MailServices.imap.selectFolder(inbox, null, null); }
  const found = Array.from(inbox.messages).filter(m => m.subject === args[1]);
  if (found.length) {
    const uri = inbox.getUriForMsg(found[0]);
    const service = MailServices.messageServiceFromURI(uri);
    const text = await new Promise((resolve, reject) => {
      const chunks = [];
      service.streamMessage(uri, {
        QueryInterface: ChromeUtils.generateQI(["nsIStreamListener"]),
        onStartRequest() {},
        onDataAvailable(_request, stream, _offset, count) {
          const reader = Cc["@mozilla.org/binaryinputstream;1"].createInstance(Ci.nsIBinaryInputStream);
          reader.setInputStream(stream);
          chunks.push(reader.readBytes(count));
        },
        onStopRequest(_request, status) { Components.isSuccessCode(status) ? resolve(chunks.join("")) : reject("status " + status); },
      }, null, null, false, "", false);
    });
    return { key: found[0].messageKey, author: found[0].author, raw: btoa(text) };
  }
  await new Promise(r => window.setTimeout(r, 100));
}
throw new Error("the message did not arrive: " + Array.from(inbox.messages).map(m => m.subject).join(" | "));
"""

SEND = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const [to, subject, body] = args;
const identity = MailServices.accounts.allIdentities[0];
const account = MailServices.accounts.accounts.find(a => a.identities.some(i => i.key === identity.key));
const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
fields.from = identity.email; fields.to = to; fields.subject = subject; fields.body = body;
const { MessageSend } = ChromeUtils.importESModule("resource:///modules/MessageSend.sys.mjs");
await new Promise((resolve, reject) => {
  new MessageSend().createAndSendMessage(
    null, identity, account.key, fields, false, false, Ci.nsIMsgCompDeliverMode.Now, null, "text/plain", body, null, null,
    {
      QueryInterface: ChromeUtils.generateQI(["nsIMsgSendListener"]),
      onStartSending() {}, onSendProgress() {}, onProgress() {}, onStatus() {}, onGetDraftFolderURI() {},
      onSendNotPerformed() { reject("not performed"); },
      onTransportSecurityError(_id, status) { reject("transport security 0x" + (status >>> 0).toString(16)); },
      onStopSending(_id, status, message) {
        Components.isSuccessCode(status) ? resolve() : reject("status 0x" + (status >>> 0).toString(16) + " " + message);
      },
    }, "", null, Ci.nsIMsgCompType.New);
});
return true;
"""

SENT = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.getIncomingServer(args[0]);
for (let i = 0; i < 200; i++) {
  const sent = server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.SentMail);
  if (sent) {
    MailServices.imap.selectFolder(sent, null, null);
    await new Promise(r => window.setTimeout(r, 300));
    if (Array.from(sent.messages).some(m => m.subject === args[1])) { return sent.name; }
  } else { await new Promise(r => window.setTimeout(r, 100)); }
}
return null;
"""

FLAG = """
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.getIncomingServer(args[0]);
const inbox = server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);
const message = Array.from(inbox.messages).find(m => m.subject === args[1]);
inbox.markMessagesFlagged([message], true);
inbox.markMessagesRead([message], true);
await new Promise(r => window.setTimeout(r, 1500));
return true;
"""


def main():
    settings = dict(line.rstrip("\n").split("=", 1) for line in open(sys.argv[1]))
    pem = open(settings["CA_FILE"]).read()
    authority = "".join(line for line in pem.splitlines() if "CERTIFICATE" not in line)
    work = tempfile.mkdtemp(prefix="thunderbird-")
    profile = os.path.join(work, "profile")
    os.mkdir(profile)
    port = free_port()
    preferences = {
        "marionette.port": port,
        "mail.provider.suppress_dialog_on_startup": True,
        "mailnews.start_page.enabled": False,
        "mail.rights.version": 1,
        "datareporting.policy.dataSubmissionEnabled": False,
        "toolkit.telemetry.enabled": False,
        "app.update.enabled": False,
        "extensions.update.enabled": False,
        "mail.spotlight.firstRunDone": True,
        "mail.winsearch.firstRunDone": True,
        "mail.shell.checkDefaultClient": False,
        "network.captive-portal-service.enabled": False,
        "network.connectivity-service.enabled": False,
        "services.settings.server": "http://127.0.0.1:9",
        "browser.safebrowsing.downloads.enabled": False,
        "mail.phishing.detection.enabled": False,
        # The machine may have no network but its own: Thunderbird would call itself offline.
        "network.manage-offline-status": False,
        "offline.autoDetect": False,
        "offline.startup_state": 2,
    }
    if os.environ.get("MOZ_LOG_FILE"):
        os.environ.setdefault("MOZ_LOG", "IMAP:5,SMTP:5,timestamp")
    with open(os.path.join(profile, "user.js"), "w") as file:
        for name, value in preferences.items():
            file.write(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n")
    display = f":{90 + os.getpid() % 100}"
    screen = subprocess.Popen(["Xvfb", display, "-screen", "0", "1280x900x24", "-nolisten", "tcp"], stderr=subprocess.DEVNULL)
    time.sleep(1)
    environment = dict(os.environ, DISPLAY=display, HOME=work, MOZ_CRASHREPORTER_DISABLE="1")
    program = subprocess.Popen(
        ["thunderbird", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", profile],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        drive(Marionette(port), settings, authority, display)
    finally:
        program.terminate()
        try:
            program.wait(10)
        except subprocess.TimeoutExpired:
            program.kill()
        screen.terminate()
        shutil.rmtree(work, ignore_errors=True)


def drive(thunderbird, settings, authority, display):
    key = thunderbird.script(SETUP, {
        "authority": authority, "host": settings["HOST"], "user": settings["USER1"], "password": settings["PASSWORD1"],
        "imapPort": int(settings["IMAPS_PORT"]), "smtpPort": int(settings["SUBMISSIONS_PORT"]),
    })
    print("account set up:", key, flush=True)
    folders = thunderbird.script(FOLDERS, key)
    print("folders:", ", ".join(name for name, _ in folders))
    subject = f"Essai Thunderbird {int(time.time())}"
    thunderbird.script(SEND, settings["USER1"], subject, "Bonjour, c'est Thunderbird. Éàç.\r\n")
    print("sent:", subject)
    message = thunderbird.script(MESSAGES, key, subject)
    raw = base64.b64decode(message["raw"])
    assert b"Bonjour, c'est Thunderbird." in raw, raw[-400:]
    print("received: UID", message["key"], len(raw), "octets from", message["author"])
    sent = thunderbird.script(SENT, key, subject)
    assert sent, "no copy in the Sent folder"
    print("copy in:", sent)
    thunderbird.script(FLAG, key, subject)
    print("flagged and read")
    if os.environ.get("SCREENSHOT"):
        subprocess.run(["import", "-display", display, "-window", "root", os.environ["SCREENSHOT"]], check=False)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main()
