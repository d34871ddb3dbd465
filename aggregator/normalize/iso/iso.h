/* SPDX-License-Identifier: Apache-2.0
 *
 * Documents of the market operators (CAISO, MISO, SPP, PJM, ERCOT, ISO-NE, NYISO) to canonical rows. A
 * document is classified by what is in it, read by the layout of its form, and each of its records becomes
 * rows in UTC with one sign convention: price = energy + congestion + loss (+ greenhouse gas). It is a pure
 * function of the document, its feed and the time zones. [any]
 *
 * A document is taken whole or not at all: when it can't be read to its end no row of it is emitted, its
 * result says why, and the next document is not touched by that. A record that can't be understood is
 * rejected alone, and told as an anomaly with its text. */
#ifndef NORM_ISO_H
#define NORM_ISO_H

#include "aggregator/io/normalizer.h"
#include "aggregator/normalize/calendar/market.h"
#include "aggregator/normalize/iso/read/layout.h"

enum {
    NORM_ISO_SUBJECT_CHARS = 48,
    NORM_ISO_KEY_CHARS = 320,       /* of an observation's identity, with its NUL */
    NORM_ISO_ANOMALY_CHARS = 160,   /* of an anomaly's text, with its NUL */
    NORM_ISO_LOCATIONS_MAX = 65535, /* in one document of a form that keeps them */
    NORM_ISO_JOINED_MAX =
        440000, /* node-hours of one document whose components stand in records of their own */
};

enum norm_iso_product {
    NORM_ISO_RT_LMP,
    NORM_ISO_DA_LMP,
    NORM_ISO_DA_SCHEDULE,
    NORM_ISO_TELEMETRY, /* load, fuel mix, wind and solar: actual and forecast */
    NORM_ISO_OUTAGE,
    NORM_ISO_CONSTRAINT,
    NORM_ISO_PRODUCT_COUNT,
};

enum norm_iso_location {
    NORM_ISO_HUB,
    NORM_ISO_ZONE,
    NORM_ISO_NODE,
    NORM_ISO_INTERFACE,
    NORM_ISO_RESERVE,
    NORM_ISO_SYSTEM,   /* the operator's whole area, or a named control area */
    NORM_ISO_FACILITY, /* the monitored element of a constraint */
    NORM_ISO_UNTYPED,  /* the file doesn't say */
    NORM_ISO_LOCATION_COUNT,
};

/* What a feed's documents are about; schemas/feeds/<name>.yaml says how to fetch them. */
struct norm_iso_feed {
    const char *name; /* "caiso_da_lmp" */
    enum norm_iso iso;
    enum norm_iso_product product;
    const char *market;    /* "DAM", "RTM", "RTPD", "RTC" ... as the operator calls it */
    uint16_t interval_min; /* 0: instants */
    bool is_end_labelled;  /* NYISO's real-time files print the end of an interval, its others the start */
};

/* NULL: no feed of that name. */
const struct norm_iso_feed *norm_iso_feed_of(struct hr_bytes name);
const struct norm_iso_feed *norm_iso_feeds(size_t *n_feeds);

enum norm_iso_has {
    NORM_ISO_HAS_VALUE = 1 << 0,
    NORM_ISO_HAS_ENERGY = 1 << 1,
    NORM_ISO_HAS_CONGESTION = 1 << 2,
    NORM_ISO_HAS_LOSS = 1 << 3,
    NORM_ISO_HAS_GHG = 1 << 4,
    NORM_ISO_HAS_PUBLISHED = 1 << 5, /* when a forecast was made */
    NORM_ISO_HAS_VERSION = 1 << 6,   /* the operator's own revision number */
    NORM_ISO_HAS_LIMIT = 1 << 7,
    NORM_ISO_ENERGY_DERIVED = 1 << 8, /* energy is what the printed price leaves: MISO, NYISO */
};

/* One observation. Texts are borrowed during the emit call. */
struct norm_iso_row {
    const struct norm_iso_feed *feed;
    struct hr_bytes market; /* the feed's, or what the record says */
    enum norm_iso_location location_type;
    struct hr_bytes location_id;
    struct hr_bytes location_name;
    struct hr_bytes
        region; /* a balancing area or settlement type that the id alone doesn't tell; may be empty */
    const char *subject;         /* "energy", "load", "generation.wind", "outage.forced", "shadow_price" */
    const char *curve_role;      /* "price", "actual", "forecast", "cleared" */
    const char *unit;            /* "USD/MWh", "MW" */
    struct hr_bytes contingency; /* constraints; may be empty */
    int64_t start_s;             /* Unix seconds, UTC */
    int64_t end_s;               /* the end, not in it; an instant's is its start */
    int64_t published_s;
    int64_t version;
    double value;
    double energy;
    double congestion; /* positive raises the price: NYISO's is turned */
    double loss;
    double ghg;
    double limit_mw;
    struct hr_bytes
        zone;     /* that the location lies in; for struct norm_iso_place, no part of the observation */
    uint32_t has; /* enum norm_iso_has */
    const char *quarantine; /* why; NULL, as the parsers leave it: it is not quarantined */
};

/* A place that a document tells of: hub, zone, node, interface, or the facility of a constraint. A reference
 * table keeps them by iso, type and id, with a new row from valid_from_s on when name or zone are others than
 * before (SCD2). Texts are borrowed during the call. */
struct norm_iso_place {
    enum norm_iso iso;
    enum norm_iso_location type;
    struct hr_bytes id;
    struct hr_bytes name;
    struct hr_bytes
        zone; /* the zone or balancing area that it lies in, where the document says; may be empty */
    bool has_valid_from;  /* false: a list of locations, which has no date */
    int64_t valid_from_s; /* the start of the market day in which the document first shows it */
};

enum norm_iso_finding {
    NORM_ISO_BAD_NUMBER,      /* the record is rejected */
    NORM_ISO_BAD_TIME,        /* likewise; also a local time that doesn't exist, or may be either of two */
    NORM_ISO_BAD_RECORD,      /* likewise: something that must be there is not */
    NORM_ISO_IDENTITY_BREACH, /* components don't add up; the row is emitted */
    NORM_ISO_CONFLICT,        /* two values of one observation in one document; the first is emitted */
    NORM_ISO_NAME_MISMATCH,   /* the document's name says another interval than its rows */
    NORM_ISO_DOCUMENT,        /* the whole document failed: the text says why */
    NORM_ISO_FINDING_COUNT,
};

/* "bad_number", ...; static storage. */
const char *norm_iso_finding_name(enum norm_iso_finding finding);
const char *norm_iso_product_name(enum norm_iso_product product);    /* "rt_lmp" */
const char *norm_iso_location_name(enum norm_iso_location location); /* "hub" */

struct norm_iso_anomaly {
    enum norm_iso_finding finding;
    uint64_t record; /* of the document, from 1; 0: the document itself */
    const char *text;
};

/* What a document is. */
enum norm_iso_kind {
    NORM_ISO_DATA,      /* rows are made of it */
    NORM_ISO_NO_DATA,   /* the operator says that there is nothing */
    NORM_ISO_THROTTLED, /* come back later */
    NORM_ISO_NOT_FOUND, /* there is no such document */
    NORM_ISO_LISTING,   /* tells which documents there are */
    NORM_ISO_REFERENCE, /* places are told of, and no rows made */
    NORM_ISO_OTHER,     /* known, but nothing of it is in scope */
    NORM_ISO_UNKNOWN,
    NORM_ISO_KIND_COUNT,
};

const char *norm_iso_kind_name(enum norm_iso_kind kind); /* "data" */

struct norm_iso_form; /* form.h */

/* A form that rows are made of has a name ("spp_lmp_csv"), which is the `format` of a feed's file. Several
 * forms share one when they differ by their columns' spelling or their market only. */
enum norm_iso_fit {
    NORM_ISO_NO_SUCH_FORM,
    NORM_ISO_OF_OTHER_FEEDS, /* of another operator, or about something else */
    NORM_ISO_FITS,
};

/* Whether documents of that form may be of feeds of that operator and product. */
enum norm_iso_fit norm_iso_form_fits(const char *name, enum norm_iso iso, enum norm_iso_product product);

enum { NORM_ISO_FORM_NAMES_MAX = 40 }; /* of one operator */

/* The names of an operator's forms that rows are made of, each once; static storage. Returns how many. */
size_t norm_iso_form_names(enum norm_iso iso, const char **names, size_t capacity);

struct norm_iso_sink {
    void (*row)(void *ctx, const struct norm_iso_row *row);
    void (*anomaly)(void *ctx, const struct norm_iso_anomaly *anomaly);
    /* Once for each place of a document of prices, constraints or locations. NULL: nobody keeps them. */
    void (*place)(void *ctx, const struct norm_iso_place *place);
    void *ctx;
};

struct norm_iso_document {
    const struct norm_iso_feed *feed; /* NULL: the one that its form is usually of */
    struct hr_bytes body;             /* as received, but for zstd */
    struct hr_bytes name;             /* of the file or the request; may be empty */
    const struct norm_zones *zones;
    uint64_t
        max_bytes; /* of the body, and 8 times as many unpacked, of all members of an archive; 0: 64 MB */
};

struct norm_iso_result {
    const struct norm_iso_feed *feed; /* NULL: none */
    const char *form;                 /* "spp_lmp_csv"; static storage */
    enum norm_iso_kind kind;
    enum hr_code
        code; /* HR_OK, or why nothing was emitted: HR_MALFORMED, HR_FULL, HR_NOT_FOUND; or HR_AGAIN:
                 there was no memory to read it, nothing is told, and rows that were must not count */
    uint64_t unpacked_bytes;
    uint64_t failed_at;    /* with HR_MALFORMED and HR_FULL: the unpacked byte at which reading ended */
    uint64_t n_records;    /* in the document */
    uint64_t n_rows;       /* emitted */
    uint64_t n_places;     /* told */
    uint64_t n_rejected;   /* records rejected */
    uint64_t n_blank;      /* values that the operator left empty: hours to come */
    uint64_t n_superseded; /* records that the operator itself marks as not current */
    uint64_t n_repeated;   /* the same observation twice with the same value */
    uint64_t n_findings[NORM_ISO_FINDING_COUNT];
};

/* Memory of one thread: some 40 MB, of which a document touches what it needs (pages that the system has not
 * given yet are best: calloc). Nothing to close, nothing to zero. */
struct norm_iso_work;

size_t norm_iso_work_bytes(void);
/* `memory` has norm_iso_work_bytes(), aligned as malloc's is. */
struct norm_iso_work *norm_iso_work_in(void *memory);

/* Never fails as a call: whatever the bytes are, the result tells. Rows come in the order of the document
 * (for forms that spread an observation over records: in the order of its first record). */
void norm_iso_document(struct norm_iso_work *work, const struct norm_iso_document *document,
                       const struct norm_iso_sink *sink, struct norm_iso_result *result);

/* ---- identity and revision ---- */

/* What names an observation whatever its value is and however often it is published: operator, product,
 * market, subject and role, region, location, contingency, interval, and of forecasts when they were made.
 * "caiso/da_lmp/DAM/energy/price//node/AFPR_1_TOT_GEN-APND//2020-01-02T05:00:00Z/60". NUL-terminated; a
 * longer one is cut and ends in a hash of the rest. */
void norm_iso_key(const struct norm_iso_row *row, char out[NORM_ISO_KEY_CHARS]);

/* What it says: value, components, limit, version. Never 0. */
uint64_t norm_iso_content(const struct norm_iso_row *row);

/* Both as what a memory keeps (norm_known); key is of norm_iso_key. Stored: it must never change. */
struct norm_subject_key norm_iso_subject_key(const struct norm_iso_row *row, const char *key);

enum norm_iso_news { NORM_ISO_NEW, NORM_ISO_SAME, NORM_ISO_CORRECTED };

/* The rule of revisions: the first publication of an observation is revision 0, one with other content the
 * next revision, one with the same content nothing new. known_content 0: never published. *revision is what
 * is to be published, or for SAME what was. */
enum norm_iso_news norm_iso_revise(uint64_t known_content, uint32_t known_revision, uint64_t content,
                                   uint32_t *revision);

#endif
