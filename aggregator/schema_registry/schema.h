/* SPDX-License-Identifier: Apache-2.0
 *
 * Events as Avro: binary values, Confluent framing, object container files, and back to JSON for people. This
 * room owns avro-c; nobody else sees its types. Values are encoded by our own table-driven encoder
 * (aggregator/DESIGN.md has the figures); avro-c reads schemas, checks the tables against
 * schemas/avro/<name>.avsc, decodes for `tail`, and is the other opinion in the tests. */
#ifndef SCHEMA_H
#define SCHEMA_H

#include "aggregator/io/normalizer.h"

enum {
    SCHEMA_FRAMING_BYTES = 5,        /* 0x00 and the schema id, big-endian */
    SCHEMA_FIELD_FIXED_BYTES = 11,   /* the longest that a field can be, without the bytes of a string */
    SCHEMA_SYNC_BYTES = 16,          /* of an object container file */
    SCHEMA_FILE_BLOCK_BYTES = 65536, /* a block is written when it holds this much, or at sync */
    SCHEMA_WHY_CHARS = 160,
};

/* The text of schemas/avro/<name>.avsc as of the build; static storage. HR_NOT_FOUND: no such schema. [any]
 */
HR_MUST_USE struct hr_status schema_text(const char *name, struct hr_bytes *out);

/* Checks that the table says what the .avsc says: the same fields in the same order, with the same types and
 * nullability. To be called once for each schema at start. HR_NOT_FOUND: no .avsc of that name. HR_MALFORMED:
 * they differ, `why` (NUL-terminated, at most why_capacity) tells where. Allocates and frees. */
HR_MUST_USE struct hr_status schema_check(const struct norm_schema *schema, char *why, size_t why_capacity);

/* Writes the Avro binary value of the event, without framing. HR_FULL: capacity_bytes is less than what the
 * value could take, SCHEMA_FIELD_FIXED_BYTES for each field and the bytes of its strings; *len_bytes is
 * unchanged. Asserts that no field is null which the schema says is not. Allocates nothing. [any] */
HR_MUST_USE struct hr_status schema_encode(const struct norm_event *event, uint8_t *out,
                                           size_t capacity_bytes, size_t *len_bytes);

/* The same for who wants to know where an event's own fields begin. */
extern const struct norm_encoder schema_encoder;

/* Writes the Confluent framing that goes before a value. */
void schema_frame(uint32_t schema_id, uint8_t out[SCHEMA_FRAMING_BYTES]);
/* Takes a framed value apart; *value borrows. HR_MALFORMED: not framed. */
HR_MUST_USE struct hr_status schema_unframe(struct hr_bytes framed, uint32_t *schema_id,
                                            struct hr_bytes *value);

/* The id that stands in the framing when no registry is configured, from schemas/avro/ids.tsv. They begin at
 * 0x48520000, far above what a registry gives out, so that a topic can move to a registry later without two
 * meanings of one id. HR_NOT_FOUND: the schema has none. [any] */
HR_MUST_USE struct hr_status schema_offline_id(const char *name, uint32_t version, uint32_t *schema_id);
/* One schema of the build after the other, older versions too: "<name>" the newest, "<name>.<version>" an
 * older one; static storage. False: there are not so many. [any] */
bool schema_nth(size_t nth, const char **name, struct hr_bytes *text);
/* The name under which schema_text has the schema of this id, which for an older version of a schema is
 * "<name>.<version>"; static storage. HR_NOT_FOUND: not an offline id. [any] */
HR_MUST_USE struct hr_status schema_offline_name(uint32_t schema_id, const char **name);

/* ---- object container files (Avro 1.11 specification, codec "null") ---- */

struct schema_file;

/* Makes a new file and writes its header; it must not exist. `name` names the schema; sync is the marker
 * between blocks, any 16 bytes (the log's origin will do). HR_NOT_FOUND: no such schema. HR_IO: exists, or
 * can't be written. The directory entry is not synced: that is the caller's. */
HR_MUST_USE struct hr_status schema_file_create(const char *path, const char *name,
                                                const uint8_t sync[SCHEMA_SYNC_BYTES],
                                                struct schema_file **out);
/* Opens a file for more, after a restart or crash: cuts it to length_bytes, which an earlier schema_file_sync
 * returned, and goes on behind. HR_NOT_FOUND: no such file. HR_CORRUPT: it is shorter, is not a container
 * file of this schema text, or has no block boundary there; the file is left as it was. HR_IO: can't be read
 * or cut. */
HR_MUST_USE struct hr_status schema_file_reopen(const char *path, const char *name, uint64_t length_bytes,
                                                struct schema_file **out);
/* Adds one encoded value (from schema_encode, without framing); copied. HR_FULL: it is longer than
 * a block. HR_IO: the disk refused this or an earlier block; the file can only be closed. */
HR_MUST_USE struct hr_status schema_file_append(struct schema_file *file, struct hr_bytes value);
/* Ends the block, writes it and waits for the disk (fdatasync). *length_bytes is then a boundary for
 * schema_file_reopen. With nothing appended since the last sync it only returns the length. HR_IO as append.
 */
HR_MUST_USE struct hr_status schema_file_sync(struct schema_file *file, uint64_t *length_bytes);
/* Closes and frees; what was not synced is dropped. NULL is fine. */
void schema_file_close(struct schema_file *file);

/* ---- back to JSON ---- */

/* Decodes values of one schema: an offline or embedded one by name, or any schema text. Not shared by
 * threads. */
struct schema_decoder;

/* HR_MALFORMED: the text is no Avro schema, or its top is not a record. */
HR_MUST_USE struct hr_status schema_decoder_open(struct hr_bytes schema_text, struct schema_decoder **out);
/* One value as one JSON object on one line, without newline or NUL: {"field":value,...}; null unions as null,
 * bytes as lower-case hex. HR_MALFORMED: not a value of this schema. HR_FULL: capacity_bytes is too small. */
HR_MUST_USE struct hr_status schema_decoder_json(struct schema_decoder *decoder, struct hr_bytes value,
                                                 char *out, size_t capacity_bytes, size_t *len_bytes);
void schema_decoder_close(struct schema_decoder *decoder);

/* Reads an object container file, also one that is still being written. */
struct schema_reader;

HR_MUST_USE struct hr_status schema_reader_open(const char *path, struct schema_reader **out);
/* The next value as schema_decoder_json gives it. HR_CLOSED: no whole block more now; call again later to
 * follow a file that grows. HR_CORRUPT: not a container file, or a block is damaged. HR_FULL: the value was
 * too big for `out` and is skipped. */
HR_MUST_USE struct hr_status schema_reader_next(struct schema_reader *reader, char *out,
                                                size_t capacity_bytes, size_t *len_bytes);
void schema_reader_close(struct schema_reader *reader);

#endif
