/* SPDX-License-Identifier: Apache-2.0
 *
 * `headrace spool inspect|verify`: what a spool file, or the spool in an image of a board's memory, holds. It
 * reads only, takes no lock, and may look at a spool that is in use: what is being written then reads as an
 * unfinished end. */
#include "aggregator/verify/verify.h"
#include "tools/cli/cli.h"
#include "tools/cli/options.h"
#include "tools/cli/spool_look.h"

#include <inttypes.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

enum option { KEY, JSON };

static const struct cli_option options[] = {
    [KEY] = {"--key", "PUB.pem", false, 0, "The device's public record key: check signatures as well."},
    [JSON] = {"--json", NULL, false, 0, "One JSON object a line."},
};

static const struct cli_usage inspect_usage = {
    .verb = "spool inspect",
    .positional = "FILE",
    .options = &options[JSON],
    .n_options = 1,
    .help =
        "Lists the sectors, batches, holes and open records of a spool: a gateway's spool file, or an image\n"
        "of a board's memory. The file is not changed and may be in use.",
};

static const struct cli_usage verify_usage = {
    .verb = "spool verify",
    .positional = "FILE",
    .options = options,
    .n_options = sizeof(options) / sizeof(options[0]),
    .help = "Checks every batch that still waits for its acknowledgement: its bytes, its Merkle root, its\n"
            "place in the chain and, with --key, its signature. Exit code 0: all is well, 1: damage.",
};

/* ---- inspect ---- */

static const char *reason_name(uint32_t reason)
{
    static const char *const names[] = {"unknown", "overflow", "damaged", "refused"};
    return names[reason < sizeof names / sizeof names[0] ? reason : 0];
}

/* WIRE_SEQ_NONE as a word, in each of the two languages. */
static const char *seq_text(const struct cli_look *look, uint32_t seq, char out[16])
{
    (void)snprintf(out, 16, "%" PRIu32, seq);
    return seq != WIRE_SEQ_NONE ? out : look->json ? "null" : "none";
}

static void print_summary(const struct cli_look *look)
{
    const struct fw_spool_state *state = &look->state;
    char acked[16];
    (void)printf(
        look->json ? "{\"kind\":\"spool\",\"device\":\"%016" PRIx64
                     "\",\"sectors\":%u,\"sector_bytes\":%u,\"unit_bytes\":%u,"
                     "\"stream\":%u,\"next_batch\":%u,\"next_record\":%" PRIu64 ",\"acked\":%s,\"oldest\":%u,"
                     "\"open_records\":%u,\"torn_entries\":%u,\"clean_end\":%s}\n"
                   : "spool    device %016" PRIx64 "  %u sectors of %u bytes, unit %u\n"
                     "state    stream %u  next batch %u  next record %" PRIu64 "  acked %s  oldest %u\n"
                     "end      open records %u  torn entries %u  clean end %s\n",
        look->config.device_id, look->flash.n_sectors, look->flash.sector_bytes,
        look->flash.program_unit_bytes, state->stream, state->next_batch_seq, state->next_record_seq,
        seq_text(look, state->acked_seq, acked), state->oldest_seq, state->open_records,
        look->report.torn_entries, look->report.clean ? "true" : "false");
    for (uint32_t i = 0; i < look->spool.book.n_gaps; i++) {
        const struct fw_spool_hole *hole = &look->spool.book.gaps[i].hole;
        char carrier[16];
        (void)printf(
            look->json ? "{\"kind\":\"hole\",\"from\":%u,\"to\":%u,\"reason\":\"%s\",\"records\":%u,"
                         "\"first_record\":%" PRIu64 ",\"loss_in\":%s}\n"
                       : "hole     batches %u to %u  %s  %u records from %" PRIu64 "  Loss in batch %s\n",
            hole->loss.from_seq, hole->loss.to_seq, reason_name(hole->loss.reason), hole->loss.n_records,
            hole->loss.first_record_seq, seq_text(look, hole->carried_by_seq, carrier));
    }
    for (uint32_t i = 0; i < look->spool.book.n_ranges; i++) {
        const struct fw_spool_range *range = &look->spool.book.ranges[i];
        (void)printf(look->json ? "{\"kind\":\"carry\",\"stream\":%u,\"from\":%u,\"to\":%u}\n"
                                : "carry    stream %u batches %u to %u wait to be sealed again\n",
                     range->stream, range->next_seq, range->end_seq - 1);
    }
}

static void print_batch(const struct cli_look *look, uint32_t sector, const struct fw_spool_entry *entry)
{
    struct fw_spool_seal seal;
    struct wire_header header;
    if (!hr_is_ok(fw_spool_seal_read(&look->flash, sector, entry, &seal)) ||
        !hr_is_ok(wire_header_decode(seal.header, &header))) {
        return;
    }
    bool live = fw_spool_is_live(&look->spool.book, header.stream, header.batch_seq);
    (void)printf(
        look->json
            ? "{\"kind\":\"batch\",\"sector\":%u,\"offset\":%u,\"stream\":%u,\"batch\":%u,\"records\":%u,"
              "\"first_record\":%" PRIu64 ",\"payload_bytes\":%u,\"boot\":%u,\"epoch\":%u,\"flags\":%u,"
              "\"live\":%s,\"carried\":%s}\n"
            : "batch    sector %u+%-7u stream %u  batch %u  %u records from %" PRIu64
              "  %u bytes  boot %u  epoch %u  flags %u  live %s  carried %s\n",
        sector, entry->offset, header.stream, header.batch_seq, header.n_records, header.first_record_seq,
        header.payload_len_bytes, header.boot_id, header.key_epoch, header.flags, live ? "true" : "false",
        seal.carried ? "true" : "false");
}

static void print_sector(const struct cli_look *look, uint32_t sector)
{
    const struct fw_spool_sector *known = &look->config.sectors[sector];
    struct fw_spool_entry entry = {.offset = 0};
    struct fw_spool_ident ident;
    uint8_t scratch[FW_SPOOL_HEADER_MAX_BYTES];
    uint32_t offset;
    if (known->sector_seq == 0 ||
        !hr_is_ok(fw_spool_header_read(&look->flash, sector, scratch, &ident, NULL, &offset))) {
        bool blank = fw_spool_is_blank(&look->flash, sector, 0);
        (void)printf(look->json ? "{\"kind\":\"sector\",\"sector\":%u,\"state\":\"%s\"}\n"
                                : "sector   %u  %s\n",
                     sector, blank ? "blank" : "no header");
        return;
    }
    (void)printf(look->json ? "{\"kind\":\"sector\",\"sector\":%u,\"state\":\"%s\",\"seq\":%u,\"stream\":%u,"
                              "\"used_bytes\":%u,\"erased\":%u}\n"
                            : "sector   %u  %s  number %u  stream %u  %u bytes  erased %u times\n",
                 sector, sector == look->spool.tail ? "newest" : "written", ident.sector_seq, known->stream,
                 known->used_bytes, ident.erase_count);
    while (hr_is_ok(fw_spool_entry_next(&look->flash, sector, ident.sector_seq, offset, &entry))) {
        if (entry.after_gap) {
            (void)printf(look->json ? "{\"kind\":\"torn\",\"sector\":%u,\"from\":%u,\"to\":%u}\n"
                                    : "torn     sector %u  bytes %u to %u are no entry\n",
                         sector, offset, entry.offset - 1);
        }
        if (entry.type == FW_SPOOL_SEAL) {
            print_batch(look, sector, &entry);
        }
        offset = entry.end_offset;
    }
    if (entry.after_gap) {
        (void)printf(look->json ? "{\"kind\":\"torn\",\"sector\":%u,\"from\":%u}\n"
                                : "torn     sector %u  from byte %u on are bytes that are no entry\n",
                     sector, offset);
    }
}

static int inspect(int argc, char **argv)
{
    static struct cli_look look;
    struct cli_arguments arguments;
    int parsed = cli_options_parse(&inspect_usage, argc, argv, &arguments);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    look.json = arguments.n_values[0] > 0;
    enum cli_exit code = cli_look_at(&look, arguments.positional);
    if (code == CLI_OK) {
        print_summary(&look);
        for (uint32_t i = 0; i < look.flash.n_sectors; i++) {
            print_sector(&look, i);
        }
    }
    cli_look_away(&look);
    return (int)code;
}

/* ---- verify ---- */

/* Where the chain stands while batches are checked in order. */
struct chain {
    const struct verify_key *key; /* NULL: signatures are not checked */
    uint8_t digest[WIRE_DIGEST_BYTES];
    bool digest_known;
    uint32_t n_good;
    uint32_t n_bad;
};

/* What is wrong with a batch, or NULL; moves the chain to it. */
static const char *check_batch(struct cli_look *look, uint32_t stream, uint32_t seq, struct chain *chain)
{
    uint32_t len_bytes = 0;
    struct wire_envelope envelope;
    bool digest_known = chain->digest_known;
    chain->digest_known = false;
    struct hr_status status =
        fw_spool_read_envelope(&look->spool, stream, seq, look->envelope, sizeof look->envelope, &len_bytes);
    if (hr_is(status, HR_NOT_FOUND)) {
        return "its seal is not there or does not check";
    }
    if (!hr_is_ok(status) ||
        !hr_is_ok(wire_envelope_split(hr_bytes_of(look->envelope, len_bytes), &envelope))) {
        return "its records are damaged";
    }
    bool follows =
        !digest_known || memcmp(envelope.header.prev_digest, chain->digest, WIRE_DIGEST_BYTES) == 0;
    wire_batch_digest(verify_hash(), envelope.header_bytes, chain->digest);
    chain->digest_known = true;
    if (!hr_is_ok(wire_payload_check(verify_hash(), envelope.payload, envelope.header.n_records,
                                     envelope.header.root))) {
        return "its records do not match the signed root";
    }
    if (!follows) {
        return "it does not follow the batch before";
    }
    if (chain->key != NULL &&
        !hr_is_ok(verify_signature(chain->key, envelope.header_bytes, envelope.signature_bytes))) {
        return "its signature is not that key's";
    }
    return NULL;
}

static void check_range(struct cli_look *look, uint32_t stream, uint32_t from_seq, uint32_t end_seq,
                        struct chain *chain)
{
    for (uint32_t seq = from_seq; seq < end_seq; seq++) {
        const char *fault = check_batch(look, stream, seq, chain);
        chain->n_good += fault == NULL ? 1 : 0;
        chain->n_bad += fault != NULL ? 1 : 0;
        if (fault != NULL) {
            (void)printf(look->json ? "{\"kind\":\"fault\",\"stream\":%u,\"batch\":%u,\"fault\":\"%s\"}\n"
                                    : "fault    stream %u  batch %u: %s\n",
                         stream, seq, fault);
        }
    }
}

/* Checks the batches between the holes, and that the chain goes on over them. */
static void check_current_stream(struct cli_look *look, struct chain *chain)
{
    const struct fw_spool_book *book = &look->spool.book;
    uint32_t seq = book->acked_seq + 1;
    /* The newest acked batch is often still there, and then says where the chain stood. */
    chain->digest_known = false;
    if (seq > 0) {
        (void)check_batch(look, book->stream, seq - 1, chain);
    }
    for (uint32_t i = 0; i < book->n_gaps; i++) {
        const struct edge_loss *loss = &book->gaps[i].hole.loss;
        check_range(look, book->stream, seq, loss->from_seq, chain);
        memcpy(chain->digest, loss->last_digest, WIRE_DIGEST_BYTES);
        chain->digest_known = true;
        seq = loss->to_seq + 1;
        if (loss->reason == EDGE_LOSS_DAMAGED) {
            chain->n_bad++;
            (void)printf(look->json
                             ? "{\"kind\":\"fault\",\"stream\":%u,\"batch\":%u,\"fault\":\"damaged\"}\n"
                             : "fault    stream %u  batch %u: a hole by damage begins here\n",
                         book->stream, loss->from_seq);
        }
    }
    check_range(look, book->stream, seq, book->next_batch_seq, chain);
}

static struct verify_key *read_key(const char *path)
{
    FILE *file = fopen(path, "rb");
    EVP_PKEY *pkey = file == NULL ? NULL : PEM_read_PUBKEY(file, NULL, NULL, NULL);
    if (file != NULL) {
        (void)fclose(file);
    }
    unsigned char *der = NULL;
    int len_bytes = pkey == NULL ? -1 : i2d_PUBKEY(pkey, &der);
    struct verify_key *key = NULL;
    if (len_bytes < 0 || !hr_is_ok(verify_key_parse(hr_bytes_of(der, (size_t)len_bytes), &key))) {
        (void)fprintf(stderr, "headrace spool verify: %s is not a public P-256 key in PEM\n", path);
    }
    OPENSSL_free(der);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return key;
}

static enum cli_exit check_all(struct cli_look *look, struct verify_key *key)
{
    struct chain chain = {.key = key};
    for (uint32_t i = 0; i < look->spool.book.n_ranges; i++) {
        const struct fw_spool_range *range = &look->spool.book.ranges[i];
        chain.digest_known = false;
        check_range(look, range->stream, range->next_seq, range->end_seq, &chain);
    }
    check_current_stream(look, &chain);
    (void)printf(look->json ? "{\"kind\":\"result\",\"good\":%u,\"bad\":%u,\"holes\":%u,\"signatures\":%s}\n"
                            : "result   %u batches good, %u bad, %u holes, signatures checked: %s\n",
                 chain.n_good, chain.n_bad, look->spool.book.n_gaps, key != NULL ? "true" : "false");
    return chain.n_bad == 0 ? CLI_OK : CLI_FAILED;
}

static int verify(int argc, char **argv)
{
    static struct cli_look look;
    struct cli_arguments arguments;
    int parsed = cli_options_parse(&verify_usage, argc, argv, &arguments);
    if (parsed != CLI_PARSED) {
        return parsed;
    }
    look.json = arguments.n_values[JSON] > 0;
    struct verify_key *key = NULL;
    if (arguments.n_values[KEY] > 0) {
        key = read_key(arguments.values[KEY][0]);
        if (key == NULL) {
            return CLI_USAGE;
        }
    }
    enum cli_exit code = cli_look_at(&look, arguments.positional);
    if (code == CLI_OK) {
        code = check_all(&look, key);
    }
    cli_look_away(&look);
    if (key != NULL) {
        verify_key_free(key);
    }
    return (int)code;
}

int cli_spool(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "inspect") == 0) {
        return inspect(argc - 1, argv + 1);
    }
    if (argc > 1 && strcmp(argv[1], "verify") == 0) {
        return verify(argc - 1, argv + 1);
    }
    (void)fputs("usage: headrace spool inspect|verify FILE [--key PUB.pem] [--json]\n", stderr);
    return argc > 1 && strcmp(argv[1], "--help") == 0 ? CLI_OK : CLI_USAGE;
}
