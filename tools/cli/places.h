/* SPDX-License-Identifier: Apache-2.0
 *
 * The reference table of places (hubs, zones, nodes, interfaces, facilities) that `headrace feeds places`
 * keeps in a SQLite file of its own. It is a function of the log: the same leaves give the same rows, read at
 * once or in pieces.
 *
 * A row says what a place (iso, kind, id) was called, and in which zone it lay, from valid_from_s to before
 * valid_to_s (Unix seconds, UTC; NULL: until further notice), and which document said so first. Documents
 * count in the order in which the log has them, by the leaf that ends them:
 * - A place says since when it is so: the start of the market day that shows it; of a list without dates, the
 *   start of the window that was asked for; without one, the time at which the leaf was received.
 * - What a document leaves empty it does not deny: a name or zone stays.
 * - What says nothing new writes nothing. What says something else ends the row at hand where the new one
 *   begins; when both begin at the same moment the old one was valid for none, and no time shows it.
 * - valid_from_s never goes back: what a later document says of an earlier time than that of the row at hand
 *   (a backfill) changes nothing, but for a place that was not known, and is counted. */
#ifndef CLI_PLACES_H
#define CLI_PLACES_H

#include "aggregator/io/ledger.h"

enum {
    CLI_PLACES_TEXT_CHARS = 256, /* of an id, name or zone, with its NUL; longer ones are cut */
    CLI_PLACES_ORIGIN_CHARS = 32,
};

/* What a document says of a place. Texts are borrowed. */
struct cli_place_said {
    const char *iso;  /* "caiso" */
    const char *kind; /* "hub", "node", ...: norm_iso_location_name */
    const char *id;
    const char *name; /* may be empty, as may zone */
    const char *zone;
    int64_t from_s;
    const char *feed;
    uint64_t leaf;
    const char *document_sha256;
};

struct cli_places_counts {
    uint64_t n_documents;
    uint64_t n_told; /* places, and of them: */
    uint64_t n_new, n_changed, n_unchanged, n_late;
};

struct sqlite3;
struct sqlite3_stmt;

/* An open file. Only one process at a time writes one: another's transaction fails with HR_AGAIN. */
struct cli_places {
    const char *verb; /* for complaints on stderr; kept, as is path */
    const char *path;
    struct sqlite3 *db;
    struct sqlite3_stmt *find, *end, *add, *move;
    bool has_cursor; /* false: nothing was ever read into it */
    char origin[CLI_PLACES_ORIGIN_CHARS + 1];
    uint64_t next_leaf;
};

/* ---- the file; all of it tells on stderr why it failed ---- */

/* HR_NOT_FOUND: there is no file and it may not be made. HR_DENIED: the file is something else, or of a
 * newer build. HR_AGAIN: another process kept it for a minute. HR_IO: otherwise. Close it only after HR_OK.
 */
HR_MUST_USE struct hr_status cli_places_open(const char *verb, const char *path, bool may_write,
                                             struct cli_places *out);
void cli_places_close(struct cli_places *places);

/* One transaction at a time; statuses as open. After a failure nothing of it counts: roll back. */
HR_MUST_USE struct hr_status cli_places_begin(struct cli_places *places);
HR_MUST_USE struct hr_status cli_places_say(struct cli_places *places, const struct cli_place_said *said,
                                            struct cli_places_counts *counts);
/* The leaves before next_leaf, of the log `origin`, are in it. HR_AGAIN: another process moved it meanwhile.
 */
HR_MUST_USE struct hr_status cli_places_commit(struct cli_places *places, const char *origin,
                                               uint64_t next_leaf);
void cli_places_rollback(struct cli_places *places);

/* Which rows; NULL: any. `at` is a time that SQLite reads, such as 2026-06-01T05:00:00Z, 2026-06-01 or now;
 * NULL: of all times. */
struct cli_places_wanted {
    const char *iso, *kind, *id, *at;
};
struct cli_place_row {
    struct cli_place_said said; /* until the call ends */
    bool is_current;            /* to_s is not set */
    int64_t to_s;
};
/* By iso, kind and id, the oldest version first. HR_MALFORMED: `at` is no time, and nothing was told. */
HR_MUST_USE struct hr_status cli_places_each(struct cli_places *places,
                                             const struct cli_places_wanted *wanted,
                                             void (*each)(void *ctx, const struct cli_place_row *row),
                                             void *ctx);

/* ---- from the log ---- */

struct cli_places_read {
    const struct ledger *ledger;
    struct cli_places *places;
    uint64_t max_leaves; /* 0: to the end of the log */
    bool may_skip;       /* leaves that retention took are passed over */
    struct cli_places_counts counts;
    uint64_t n_leaves, n_skipped;
    uint64_t n_cut; /* documents whose beginning retention took */
};

/* Reads what the file has not seen up to where the log ends now. An exit code of cli.h, with the reason told;
 * what was committed until then stays, and the next call goes on behind it. */
int cli_places_read(struct cli_places_read *read);

#endif
