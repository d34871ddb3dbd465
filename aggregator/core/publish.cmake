list(APPEND AGG_CORE_SOURCES publish.c publish_batch.c publish_recall.c publish_trust.c fold.c fold_slots.c fold_store.c notes.c recall.c replay.c replay_chunk.c)
