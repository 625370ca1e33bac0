// Sends a letter with Nodemailer, sees it come by IDLE with ImapFlow, and reads it back.
// usage: round_trip.js DEMO_ENV LETTER
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { ImapFlow } from "imapflow";
import nodemailer from "nodemailer";

const lines = readFileSync(process.argv[2], "ascii").trim().split("\n");
const settings = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s)));
const letter = readFileSync(process.argv[3]);
const tls = { ca: readFileSync(settings.CA_FILE), servername: "localhost" };
const account = (n) => ({ user: settings[`USER${n}`], pass: settings[`PASSWORD${n}`] });

const imap = new ImapFlow({ host: "localhost", port: +settings.IMAPS_PORT, secure: true, tls, auth: account(2), logger: false });
await imap.connect();
await imap.mailboxOpen("INBOX");
const arrived = new Promise((resolve) => imap.once("exists", resolve));
const idling = imap.idle();

const transport = nodemailer.createTransport({
  host: "localhost", port: +settings.SUBMISSION_PORT, secure: false, requireTLS: true, tls, auth: account(1),
});
const info = await transport.sendMail({ envelope: { from: settings.USER1, to: [settings.USER2] }, raw: letter });
assert.deepEqual(info.rejected, []);
const { count } = await arrived;

const stored = await imap.fetchOne(String(count), { source: true, envelope: true, bodyStructure: true, flags: true });
assert.ok(stored.source.subarray(-letter.length).equals(letter), "other octets than were sent");
assert.equal(stored.envelope.subject, "Compte_rendu d'opération".replace("_", " "));
assert.equal(stored.bodyStructure.childNodes[1].dispositionParameters.filename, "report.pdf");

await imap.messageFlagsAdd(String(count), ["\\Flagged", "$Important"]);
await imap.mailboxCreate("Été");
const copied = await imap.messageCopy(String(count), "Été");
assert.equal(copied.uidMap.size, 1);
const status = await imap.status("Été", { messages: true, unseen: true, uidNext: true });
assert.equal(status.messages, 1);
const draft = await imap.append("Été", letter, ["\\Draft"]);
assert.ok(draft.uid > 0);
await imap.mailboxOpen("Été");
const whole = await imap.download(String(draft.uid), undefined, { uid: true });
const chunks = [];
for await (const chunk of whole.content) chunks.push(chunk);
assert.ok(Buffer.concat(chunks).equals(letter), "an appended message was changed");
assert.deepEqual(await imap.search({ keyword: "$Important" }), [1]);
assert.deepEqual(await imap.search({ subject: "opération" }), [1, 2]);
const trash = (await imap.list()).find((mailbox) => mailbox.specialUse === "\\Trash").path;
await imap.messageMove("1", trash);
await imap.mailboxClose();
await imap.mailboxDelete("Été");
assert.ok((await imap.list()).some((mailbox) => mailbox.specialUse === "\\Sent"));
await imap.logout();
await idling.catch(() => {});
transport.close();

await assert.rejects(
  nodemailer.createTransport({ host: "localhost", port: +settings.SUBMISSIONS_PORT, secure: true, tls, auth: { user: settings.USER1, pass: "wrong" } }).verify(),
  (error) => error.responseCode === 535,
);
console.log("round trip complete");
