/* SPDX-License-Identifier: Apache-2.0
 *
 * Rows as frames. */
#include "tools/cli/archive.h"

#define KEEP(name, type, frame)                                                                              \
    void cli_keep_##name(void *ctx, const struct type *row)                                                  \
    {                                                                                                        \
        struct cli_archive *archive = ctx;                                                                   \
        struct hr_writer body = cli_archive_body(archive);                                                   \
        cli_put_##name(&body, row);                                                                          \
        hr_ignore(cli_archive_put(archive, frame, &body)); /* it stands in the archive */                    \
    }

KEEP(stream, ledger_stream, CLI_FRAME_STREAM)
KEEP(device, ledger_device, CLI_FRAME_DEVICE)
KEEP(device_more, ledger_device, CLI_FRAME_DEVICE_MORE)
KEEP(enrolment, ledger_enrolment, CLI_FRAME_ENROLMENT)
KEEP(certificate, ledger_certificate, CLI_FRAME_CERTIFICATE)
KEEP(old_key, ledger_old_key, CLI_FRAME_KEY)
KEEP(loss, ledger_loss, CLI_FRAME_LOSS)
KEEP(conflict, ledger_conflict, CLI_FRAME_CONFLICT)
KEEP(audit, ledger_audit, CLI_FRAME_AUDIT)
KEEP(anchor, ledger_anchor, CLI_FRAME_ANCHOR)
KEEP(batch, ledger_batch, CLI_FRAME_BATCH)
KEEP(feed_head, feed_head, CLI_FRAME_FEED_HEAD)
KEEP(version, feed_version, CLI_FRAME_FEED_VERSION)
KEEP(entry, feed_entry, CLI_FRAME_FEED_ENTRY)
KEEP(position, feed_position, CLI_FRAME_FEED_POSITION)
KEEP(replay, feed_replay, CLI_FRAME_FEED_REPLAY)
KEEP(span, feed_span, CLI_FRAME_FEED_SPAN)
KEEP(facts, feed_facts, CLI_FRAME_FEED_FACTS)
KEEP(head, cli_archive_head, CLI_FRAME_HEAD)
KEEP(range, cli_archive_range, CLI_FRAME_RANGE)
