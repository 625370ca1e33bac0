-- Schema version 2: what still has to leave (crate `queue`), and with what hospital software and people sign in besides
-- passwords. The words of version 1 hold here too.

-- One row per message, while any of its forward-paths is left. account: who submitted it; null for what a peer brought or
-- we wrote. reverse_path: empty for the null one. trace_prefix: the fields of the copy that leaves. The blob counts a use
-- for the structure, as it does for a message in a mailbox.
CREATE TABLE queue_message (
    name TEXT NOT NULL PRIMARY KEY,
    structure BIGINT NOT NULL REFERENCES structure (id),
    account BIGINT,
    blob BYTEA NOT NULL,
    key_month BIGINT NOT NULL,
    octets BIGINT NOT NULL,
    created BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    reverse_path TEXT NOT NULL,
    envelope_id TEXT,
    returned BIGINT,
    body BIGINT NOT NULL,
    smtputf8 BIGINT NOT NULL,
    require_tls BIGINT NOT NULL,
    message_id TEXT NOT NULL,
    trace_prefix BYTEA NOT NULL
) /*clustered*/;

CREATE INDEX queue_message_of_account ON queue_message (account, name) WHERE account IS NOT NULL;

-- One row per forward-path. state: 0 waiting, 1 held. due: when it is tried next; for one that is held, when it was due.
-- notify: null, or bits 1 success, 2 failure, 4 delay; 0 is NEVER. cause: the word of why it is still here.
CREATE TABLE queue_entry (
    message TEXT NOT NULL REFERENCES queue_message (name),
    number BIGINT NOT NULL,
    destination TEXT NOT NULL,
    state BIGINT NOT NULL,
    due BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    first_failure BIGINT,
    delay_told BIGINT,
    cause TEXT NOT NULL,
    forward_path TEXT NOT NULL,
    original_type TEXT NOT NULL,
    original_address TEXT NOT NULL,
    notify BIGINT,
    PRIMARY KEY (message, number)
) /*clustered*/;

CREATE INDEX queue_entry_due ON queue_entry (state, due, destination);

CREATE INDEX queue_entry_destination ON queue_entry (destination, state, due, message, number);

-- What came of each attempt: where it went, what was seen there, what was said. at_stage: how far the dialogue came.
CREATE TABLE queue_attempt (
    message TEXT NOT NULL,
    number BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    at BIGINT NOT NULL,
    cause TEXT NOT NULL,
    at_stage TEXT NOT NULL,
    host TEXT NOT NULL,
    address TEXT NOT NULL,
    certificate TEXT NOT NULL,
    code BIGINT,
    status TEXT NOT NULL,
    answer TEXT NOT NULL,
    PRIMARY KEY (message, number, attempt)
) /*clustered*/;

-- Certificates that let software sign in to an account; one may be bound to several. kind: 0 by its subject, 1 by its issuer
-- and serial number. matched: what is compared, in the normal form that src/certificate.rs describes. shown: as people read it.
CREATE TABLE certificate (
    account BIGINT NOT NULL REFERENCES account (id),
    id BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    matched TEXT NOT NULL,
    shown TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, matched)
) /*clustered*/;

CREATE INDEX certificate_matched ON certificate (matched, account);

-- National identifiers (RPPS, ADELI) of the people who may use an account with a token. holder: 1 whose account it is, 0 who
-- is linked to it besides.
CREATE TABLE identifier (
    account BIGINT NOT NULL REFERENCES account (id),
    identifier TEXT NOT NULL,
    holder BIGINT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (account, identifier)
) /*clustered*/;

CREATE INDEX identifier_people ON identifier (identifier, account);

-- A person has one account of their own at most.
CREATE UNIQUE INDEX identifier_holder ON identifier (identifier) WHERE holder = 1;
