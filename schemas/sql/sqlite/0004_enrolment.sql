-- SPDX-License-Identifier: Apache-2.0
-- What the ceremony of provisioning knows of a device, beside its row in device: one piece of hardware a device, one
-- device a piece of hardware. State 5 of device: claimed, that is known by its serial and without an identity yet.

CREATE TABLE enrolment (
    device       INTEGER PRIMARY KEY,
    serial       TEXT NOT NULL UNIQUE, -- of the hardware
    site         TEXT NOT NULL,
    nonce        BLOB NOT NULL,        -- what the hardware signs; new with each claim
    epoch        INTEGER NOT NULL,     -- of the record key that this hardware makes
    first_stream INTEGER NOT NULL,     -- its first one; 0: its own choice
    spki         BLOB NOT NULL,        -- of its transport key; empty before it is certified
    certificate  BLOB NOT NULL         -- likewise; DER
) STRICT;
