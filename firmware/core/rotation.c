/* SPDX-License-Identifier: Apache-2.0 */
#include "firmware/core/rotation.h"

#include "proto/base/assert.h"

#include <string.h>

static enum port_keys_phase phase_of(const struct fw_rotation *rotation)
{
    return rotation->keys != NULL ? rotation->keys->note.phase : PORT_KEYS_SINGLE;
}

static struct hr_status save(const struct fw_rotation *rotation, enum port_keys_phase phase, uint32_t stream,
                             uint32_t seq)
{
    const struct port_keys_note note = {phase, stream, seq};
    return rotation->keys->save(rotation->keys->ctx, note);
}

static bool is_acked(const struct fw_spool_state *spool, uint32_t seq)
{
    return spool->acked_seq != WIRE_SEQ_NONE && spool->acked_seq >= seq;
}

/* ---- after a restart ---- */

/* PLACED was saved before the KeySwitch was sealed, and nothing was sealed behind it before the note said
 * more: so it stands as the newest batch, unsent, or it was never sealed. */
static struct hr_status resolve_placed(struct fw_rotation *rotation, struct fw_spool *spool,
                                       const struct fw_spool_state *state, uint8_t *envelope,
                                       uint32_t capacity_bytes)
{
    const struct port_keys_note note = rotation->keys->note;
    bool is_sealed = false;
    if (state->stream == note.stream && state->next_batch_seq == note.seq) {
        uint32_t len_bytes = 0;
        struct wire_envelope split;
        struct hr_status status = fw_spool_read(spool, note.seq - 1, envelope, capacity_bytes, &len_bytes);
        if (hr_is(status, HR_IO)) {
            return status;
        }
        is_sealed = hr_is_ok(status) &&
                    hr_is_ok(wire_envelope_split(hr_bytes_of(envelope, len_bytes), &split)) &&
                    (split.header.flags & WIRE_FLAG_KEY_SWITCH) != 0;
    }
    return is_sealed ? save(rotation, PORT_KEYS_IN_USE, note.stream, note.seq)
                     : save(rotation, PORT_KEYS_PREPARED, 0, 0);
}

struct hr_status fw_rotation_start(struct fw_rotation *rotation, struct port_keys *keys,
                                   struct fw_spool *spool, uint8_t *envelope, uint32_t capacity_bytes)
{
    *rotation = (struct fw_rotation){.keys = keys};
    struct fw_spool_state state;
    fw_spool_state(spool, &state);
    if (phase_of(rotation) == PORT_KEYS_PLACED) {
        return resolve_placed(rotation, spool, &state, envelope, capacity_bytes);
    }
    /* A cut may undo the stream that was to begin with the new key; it then seals on in the one before. */
    rotation->first_here_seq = state.next_batch_seq;
    return hr_ok();
}

/* ---- what others ask ---- */

const struct port_sign *fw_rotation_signer(const struct fw_rotation *rotation)
{
    if (rotation->keys == NULL) {
        return NULL;
    }
    return phase_of(rotation) == PORT_KEYS_IN_USE ? &rotation->keys->next : &rotation->keys->key;
}

uint32_t fw_rotation_barrier(const struct fw_rotation *rotation, const struct fw_spool_state *spool)
{
    bool is_here = phase_of(rotation) == PORT_KEYS_IN_USE && rotation->keys->note.stream == spool->stream;
    return is_here ? rotation->keys->note.seq : 0;
}

struct hr_status fw_rotation_want(struct fw_rotation *rotation)
{
    if (rotation->keys == NULL) {
        return hr_status_of(HR_NOT_FOUND);
    }
    rotation->is_wanted = phase_of(rotation) == PORT_KEYS_SINGLE;
    return hr_ok();
}

void fw_rotation_hint(struct fw_rotation *rotation, uint64_t now_ms)
{
    if (now_ms >= rotation->no_hints_until_ms) {
        hr_ignore(fw_rotation_want(rotation)); /* without port_keys a hint is for nobody */
    }
}

/* ---- the way of a switch ---- */

static bool is_new_key_taken(const struct fw_rotation *rotation, const struct fw_spool_state *spool)
{
    const struct port_keys_note note = rotation->keys->note;
    return (spool->stream == note.stream && is_acked(spool, note.seq)) ||
           (spool->stream < note.stream && is_acked(spool, rotation->first_here_seq));
}

/* Something of a stream above is acknowledged, so that the one with the KeySwitch is left for good, and it
 * was the old key that signed: the aggregator has not followed, and never will. */
static struct hr_status settle_back(struct fw_rotation *rotation, uint64_t now_ms, enum fw_rotation_end *end)
{
    if (!rotation->is_refused) {
        return save(rotation, PORT_KEYS_PREPARED, 0, 0);
    }
    HR_TRY(rotation->keys->discard(rotation->keys->ctx));
    rotation->is_refused = false;
    rotation->no_hints_until_ms = now_ms + FW_ROTATION_REFUSED_MS;
    *end = FW_ROTATION_REFUSED;
    return hr_ok();
}

struct hr_status fw_rotation_settle(struct fw_rotation *rotation, const struct fw_spool_state *spool,
                                    uint64_t now_ms, enum fw_rotation_end *end)
{
    *end = FW_ROTATION_GOES_ON;
    enum port_keys_phase phase = phase_of(rotation);
    if (phase == PORT_KEYS_IN_USE && is_new_key_taken(rotation, spool)) {
        HR_TRY(rotation->keys->promote(rotation->keys->ctx));
        rotation->n_turns = 0;
        rotation->is_refused = false;
        *end = FW_ROTATION_DONE;
    } else if (phase == PORT_KEYS_BACK && spool->stream > rotation->keys->note.stream && is_acked(spool, 0)) {
        HR_TRY(settle_back(rotation, now_ms, end));
        rotation->n_turns = 0;
    }
    return hr_ok();
}

bool fw_rotation_is_due(const struct fw_rotation *rotation)
{
    enum port_keys_phase phase = phase_of(rotation);
    return phase == PORT_KEYS_PREPARED || (phase == PORT_KEYS_SINGLE && rotation->is_wanted);
}

struct hr_status fw_rotation_begin(struct fw_rotation *rotation, uint64_t now_ms)
{
    if (!fw_rotation_is_due(rotation)) {
        return hr_status_of(HR_AGAIN);
    }
    rotation->is_wanted = false;
    if (phase_of(rotation) == PORT_KEYS_PREPARED) {
        return hr_ok();
    }
    struct hr_status status = rotation->keys->prepare(rotation->keys->ctx);
    if (!hr_is_ok(status)) {
        rotation->no_hints_until_ms = now_ms + FW_ROTATION_REFUSED_MS;
    }
    return status;
}

struct hr_status fw_rotation_place(struct fw_rotation *rotation, const struct fw_spool_state *spool,
                                   struct edge_key_switch *out)
{
    static const char domain[] = "edge.keyswitch.v1";
    uint8_t message[sizeof domain - 1 + 8 + 4 + 4 + WIRE_DIGEST_BYTES];
    const struct port_keys *keys = rotation->keys;
    uint32_t switch_seq = spool->next_batch_seq + 1;
    *out = (struct edge_key_switch){
        .from_epoch = keys->key.key_epoch, .to_epoch = keys->next.key_epoch, .switch_seq = switch_seq};
    memcpy(out->spki, keys->next_spki, sizeof out->spki);
    struct hr_writer writer = hr_writer_over(message, sizeof message);
    hr_write_raw(&writer, domain, sizeof domain - 1);
    hr_write_u64(&writer, spool->device_id);
    hr_write_u32(&writer, spool->stream);
    hr_write_u32(&writer, switch_seq);
    hr_write_raw(&writer, spool->last_digest, WIRE_DIGEST_BYTES);
    HR_ASSERT(hr_writer_ok(&writer));
    HR_TRY(keys->next.sign(keys->next.ctx, hr_bytes_of(message, sizeof message), out->proof));
    return save(rotation, PORT_KEYS_PLACED, spool->stream, switch_seq);
}

struct hr_status fw_rotation_sealed(struct fw_rotation *rotation, const struct fw_spool_state *spool)
{
    const struct port_keys_note note = rotation->keys->note;
    HR_ASSERT(note.phase == PORT_KEYS_PLACED);
    HR_ASSERT(spool->stream == note.stream && spool->next_batch_seq == note.seq);
    return save(rotation, PORT_KEYS_IN_USE, note.stream, note.seq);
}

/* ---- when the aggregator takes another key than the one that signed ---- */

static bool may_turn(struct fw_rotation *rotation, uint64_t now_ms)
{
    if (rotation->n_turns >= FW_ROTATION_FREE_TURNS &&
        now_ms - rotation->last_turn_ms < FW_ROTATION_TURN_MS) {
        return false;
    }
    rotation->n_turns++;
    rotation->last_turn_ms = now_ms;
    return true;
}

bool fw_rotation_refused(struct fw_rotation *rotation, const struct fw_spool_state *spool, uint32_t seq,
                         uint16_t epoch, enum wire_ack_status status, uint64_t now_ms)
{
    enum port_keys_phase phase = phase_of(rotation);
    if (phase != PORT_KEYS_IN_USE && phase != PORT_KEYS_BACK) {
        return false;
    }
    const struct port_keys_note note = rotation->keys->note;
    if (status != WIRE_ACK_UNKNOWN_KEY && status != WIRE_ACK_BAD_SIGNATURE) {
        return false;
    }
    enum fw_rotation_choice current = phase == PORT_KEYS_IN_USE ? FW_ROTATION_NEW : FW_ROTATION_OLD;
    enum fw_rotation_choice other = phase == PORT_KEYS_IN_USE ? FW_ROTATION_OLD : FW_ROTATION_NEW;
    bool is_current = epoch == fw_rotation_signer(rotation)->key_epoch;
    if (!is_current && phase == PORT_KEYS_IN_USE && spool->stream == note.stream && seq < note.seq) {
        return false; /* the old key, where it is to sign: the new one would not be known before either */
    }
    if (!may_turn(rotation, now_ms)) {
        return false;
    }
    if (is_current && phase == PORT_KEYS_IN_USE) {
        rotation->is_refused = note.seq > 0 && spool->stream == note.stream && is_acked(spool, note.seq - 1);
    }
    /* Another epoch than the one that signs now is left from before a cut between the note and the stream. */
    rotation->choice = is_current ? other : current;
    return true;
}

struct hr_status fw_rotation_new_stream(struct fw_rotation *rotation, const struct fw_spool_state *spool,
                                        uint32_t stream)
{
    enum fw_rotation_choice choice = rotation->choice;
    enum port_keys_phase phase = phase_of(rotation);
    rotation->choice = FW_ROTATION_GUESS;
    if (phase != PORT_KEYS_IN_USE && phase != PORT_KEYS_BACK) {
        return hr_ok();
    }
    const struct port_keys_note note = rotation->keys->note;
    if (choice == FW_ROTATION_GUESS) {
        /* A wrong guess costs a refusal and one more stream. */
        bool is_known = note.stream == spool->stream && (note.seq == 0 || is_acked(spool, note.seq - 1));
        choice = phase == PORT_KEYS_IN_USE && is_known ? FW_ROTATION_NEW : FW_ROTATION_OLD;
    }
    return choice == FW_ROTATION_NEW ? save(rotation, PORT_KEYS_IN_USE, stream, 0)
                                     : save(rotation, PORT_KEYS_BACK, spool->stream, spool->next_batch_seq);
}
