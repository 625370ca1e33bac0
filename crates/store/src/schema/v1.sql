-- Schema version 1. Portable: BIGINT, TEXT and BYTEA only; each engine writes its own words for them and for
-- /*clustered*/ (rows lie in the order of the primary key) and /*rows*/. Times are milliseconds since 1970 UTC.
-- Every table is keyed by account or structure first; blobs, which structures may share, by an id that grows with time.

CREATE TABLE setting (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) /*clustered*/;

-- Whoever creates structures and accounts takes the next number here: ids are never reused.
CREATE TABLE counter (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
) /*clustered*/;

CREATE TABLE structure (
    id BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created BIGINT NOT NULL
) /*rows*/;

CREATE TABLE domain (
    structure BIGINT NOT NULL REFERENCES structure (id),
    name TEXT NOT NULL UNIQUE,
    postmaster BIGINT,
    created BIGINT NOT NULL,
    PRIMARY KEY (structure, name)
) /*clustered*/;

-- One row per account holds its counters too: whoever changes the account locks it by UPDATE, then owns the next MODSEQ.
CREATE TABLE account (
    id BIGINT NOT NULL PRIMARY KEY,
    structure BIGINT NOT NULL REFERENCES structure (id),
    name TEXT NOT NULL,
    language TEXT NOT NULL,
    state BIGINT NOT NULL,
    created BIGINT NOT NULL,
    quota_octets BIGINT NOT NULL,
    used_octets BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    highest_modseq BIGINT NOT NULL,
    next_mailbox BIGINT NOT NULL,
    next_message BIGINT NOT NULL,
    next_event BIGINT NOT NULL,
    next_uidvalidity BIGINT NOT NULL
) /*rows*/;

CREATE INDEX account_of_structure ON account (structure, id);

CREATE TABLE address (
    structure BIGINT NOT NULL,
    domain TEXT NOT NULL,
    local_part TEXT NOT NULL,
    account BIGINT NOT NULL REFERENCES account (id),
    written TEXT NOT NULL,
    primary_one BIGINT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (structure, domain, local_part)
) /*clustered*/;

CREATE INDEX address_of_account ON address (account);

CREATE TABLE credential (
    account BIGINT NOT NULL REFERENCES account (id),
    id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    label TEXT NOT NULL,
    secret TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (account, id)
) /*clustered*/;

CREATE TABLE login_failure (
    subject TEXT NOT NULL PRIMARY KEY,
    failures BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL
) /*clustered*/;

-- UIDVALIDITYs come from the account's counter, so a name deleted and created again always gets a higher one
-- (RFC 9051 §6.3.5), and no pair of name and UIDVALIDITY comes twice.
CREATE TABLE mailbox (
    account BIGINT NOT NULL REFERENCES account (id),
    id BIGINT NOT NULL,
    name TEXT NOT NULL,
    uidvalidity BIGINT NOT NULL,
    uidnext BIGINT NOT NULL,
    highest_modseq BIGINT NOT NULL,
    flags_modseq BIGINT NOT NULL,
    vanished_floor BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    unseen BIGINT NOT NULL,
    deleted BIGINT NOT NULL,
    octets BIGINT NOT NULL,
    recent_from BIGINT NOT NULL,
    special_use TEXT NOT NULL,
    keywords TEXT NOT NULL,
    created BIGINT NOT NULL,
    PRIMARY KEY (account, id),
    UNIQUE (account, name)
) /*clustered*/;

-- A deleted mailbox whose entries are still to be taken out, a few in each transaction, so that deliveries need not wait.
CREATE TABLE mailbox_removed (
    account BIGINT NOT NULL,
    mailbox BIGINT NOT NULL,
    PRIMARY KEY (account, mailbox)
) /*clustered*/;

-- Names, not mailboxes, are subscribed to: they stay when the mailbox goes (RFC 9051 §6.3.7).
CREATE TABLE subscription (
    account BIGINT NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,
    PRIMARY KEY (account, name)
) /*clustered*/;

-- A message in a mailbox: narrow, so that the flags of 100,000 are a few hundred pages.
CREATE TABLE entry (
    account BIGINT NOT NULL,
    mailbox BIGINT NOT NULL,
    uid BIGINT NOT NULL,
    message BIGINT NOT NULL,
    flags BIGINT NOT NULL,
    modseq BIGINT NOT NULL,
    octets BIGINT NOT NULL,
    internal_date BIGINT NOT NULL,
    saved BIGINT NOT NULL,
    PRIMARY KEY (account, mailbox, uid)
) /*clustered*/;

-- What left a mailbox, as ranges of UIDs (RFC 7162 §3.2.10).
CREATE TABLE vanished (
    account BIGINT NOT NULL,
    mailbox BIGINT NOT NULL,
    modseq BIGINT NOT NULL,
    first_uid BIGINT NOT NULL,
    last_uid BIGINT NOT NULL,
    PRIMARY KEY (account, mailbox, modseq, first_uid)
) /*clustered*/;

-- id is account * 2^32 + number: keyed by account first, and an account's messages lie together. Columns read often first.
CREATE TABLE message (
    id BIGINT NOT NULL PRIMARY KEY,
    thread BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    key_month BIGINT NOT NULL,
    octets BIGINT NOT NULL,
    internal_date BIGINT NOT NULL,
    received BIGINT NOT NULL,
    trace_prefix BYTEA NOT NULL,
    envelope BYTEA NOT NULL,
    structure BYTEA NOT NULL,
    preview TEXT NOT NULL,
    header_texts BYTEA NOT NULL
) /*rows*/;

-- A message's entries beyond its first: there once it was copied. Apart from the message, so that COPY of a whole mailbox
-- writes narrow rows only.
CREATE TABLE message_more (
    account BIGINT NOT NULL,
    message BIGINT NOT NULL,
    uses BIGINT NOT NULL,
    PRIMARY KEY (account, message)
) /*clustered*/;

-- Entries that left, still to be taken from their messages' uses: EXPUNGE writes narrow rows only, the sweep does the rest.
CREATE TABLE message_release (
    account BIGINT NOT NULL,
    message BIGINT NOT NULL,
    uses BIGINT NOT NULL,
    PRIMARY KEY (account, message)
) /*clustered*/;

-- Which thread a Message-ID (the first 8 octets of its BLAKE3) belongs to.
CREATE TABLE thread_reference (
    account BIGINT NOT NULL,
    message_id_hash BIGINT NOT NULL,
    thread BIGINT NOT NULL,
    PRIMARY KEY (account, message_id_hash)
) /*clustered*/;

-- place: 0 in blob_content, 1 a file. dying: when the last use went; a sweeper removes it after the grace.
CREATE TABLE blob (
    id BYTEA NOT NULL PRIMARY KEY,
    octets BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    place BIGINT NOT NULL,
    codec BIGINT NOT NULL,
    uses BIGINT NOT NULL,
    created BIGINT NOT NULL,
    dying BIGINT
) /*clustered*/;

CREATE INDEX blob_dying ON blob (dying) WHERE dying IS NOT NULL;

CREATE TABLE blob_content (
    id BYTEA NOT NULL PRIMARY KEY,
    content BYTEA NOT NULL
) /*rows*/;

-- Uses of a blob by a structure in a month. The blob's key, wrapped for that structure and month, comes with encryption.
CREATE TABLE blob_reference (
    structure BIGINT NOT NULL,
    blob BYTEA NOT NULL,
    month BIGINT NOT NULL,
    uses BIGINT NOT NULL,
    wrapped_key BYTEA,
    wrapping_key BYTEA,
    PRIMARY KEY (structure, blob, month)
) /*clustered*/;

-- The trail of a box. The canonical form that a chain will hash is described in src/event.rs.
CREATE TABLE event (
    account BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    fields TEXT NOT NULL,
    PRIMARY KEY (account, seq)
) /*clustered*/;
