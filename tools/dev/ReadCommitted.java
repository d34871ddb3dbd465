/* SPDX-License-Identifier: Apache-2.0
 *
 * What a consumer sees, read by Apache Kafka's own client with isolation.level=read_committed: every record of the
 * given topics up to the end at the start of the call, one JSON object a line, values in base64. The broker answers a
 * commit before its markers are in all partitions, so transactions that are open at the start are given up to 30 s to
 * be decided. The oracle of the system tests. Run by "tools/dev/kafka read". */

import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

public final class ReadCommitted {
    private static final long DECIDED_WITHIN_MS = 30_000;

    public static void main(String[] arguments) throws InterruptedException {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        properties.put("isolation.level", "read_committed");
        properties.put("enable.auto.commit", "false");
        properties.put("max.poll.records", "5000");
        StringBuilder out = new StringBuilder();
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = new ArrayList<>();
            Map<String, List<PartitionInfo>> known = consumer.listTopics();
            for (String topic : arguments[1].split(",")) {
                for (PartitionInfo info : known.getOrDefault(topic, List.of())) {
                    partitions.add(new TopicPartition(topic, info.partition()));
                }
            }
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            /* With read_committed the end is the last stable offset: everything below it is decided. */
            Map<TopicPartition, Long> ends = decidedEnds(consumer, properties, partitions);
            while (partitions.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    append(out, record);
                    if (out.length() > 1 << 16) {
                        System.out.print(out);
                        out.setLength(0);
                    }
                }
            }
        }
        System.out.print(out);
        System.out.flush();
    }

    /** The last stable offsets, once they are the ends of the logs or the time for that has passed. */
    private static Map<TopicPartition, Long> decidedEnds(
            KafkaConsumer<byte[], byte[]> consumer, Properties properties, List<TopicPartition> partitions)
            throws InterruptedException {
        Properties uncommitted = new Properties();
        uncommitted.putAll(properties);
        uncommitted.put("isolation.level", "read_uncommitted");
        long deadline = System.nanoTime() + DECIDED_WITHIN_MS * 1_000_000;
        try (KafkaConsumer<byte[], byte[]> all =
                new KafkaConsumer<>(uncommitted, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (!ends.equals(all.endOffsets(partitions)) && System.nanoTime() < deadline) {
                Thread.sleep(50);
                ends = consumer.endOffsets(partitions);
            }
            return ends;
        }
    }

    private static void append(StringBuilder out, ConsumerRecord<byte[], byte[]> record) {
        out.append("{\"topic\":\"").append(record.topic()).append("\",\"partition\":").append(record.partition());
        out.append(",\"offset\":").append(record.offset()).append(",\"timestamp\":").append(record.timestamp());
        out.append(",\"key\":").append(base64(record.key())).append(",\"headers\":{");
        String comma = "";
        for (Header header : record.headers()) {
            out.append(comma).append('"').append(header.key()).append("\":").append(base64(header.value()));
            comma = ",";
        }
        out.append("},\"value\":").append(base64(record.value())).append("}\n");
    }

    private static String base64(byte[] bytes) {
        return bytes == null ? "null" : '"' + Base64.getEncoder().encodeToString(bytes) + '"';
    }

    private ReadCommitted() {}
}
