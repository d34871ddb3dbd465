/* SPDX-License-Identifier: Apache-2.0
 *
 * What must never happen to topics, done on purpose by Apache Kafka's own client, for tests of what finds it. One
 * command a line on stdin, words separated by blanks; "ok" on stdout for each. Run by "tools/dev/kafka tamper".
 *
 *   copy TOPIC PARTITION OFFSET [HEADER=VALUE...]   the record once more, behind the others, with headers changed
 *   put TOPIC PARTITION VALUE [HEADER=VALUE...]     a record made by hand
 *   delete TOPIC PARTITION OFFSET                   all records before this offset */

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public final class TamperTopics {
    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ");
            TopicPartition partition = new TopicPartition(words[1], Integer.parseInt(words[2]));
            switch (words[0]) {
                case "copy" -> produce(properties, find(properties, partition, Long.parseLong(words[3])), words);
                case "put" -> produce(properties,
                        new ProducerRecord<>(words[1], partition.partition(), null,
                                words[3].getBytes(StandardCharsets.UTF_8)),
                        words);
                case "delete" -> {
                    try (Admin admin = Admin.create(properties)) {
                        long before = Long.parseLong(words[3]);
                        admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(before))).all().get();
                    }
                }
                default -> throw new IllegalArgumentException(line);
            }
            System.out.println("ok");
        }
    }

    private static ProducerRecord<byte[], byte[]> find(Properties properties, TopicPartition partition, long offset) {
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, offset);
            while (true) {
                for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
                    return new ProducerRecord<>(partition.topic(), partition.partition(), record.timestamp(),
                            record.key(), record.value(), record.headers());
                }
            }
        }
    }

    private static void produce(Properties properties, ProducerRecord<byte[], byte[]> record, String[] words)
            throws Exception {
        ProducerRecord<byte[], byte[]> changed = new ProducerRecord<>(record.topic(), record.partition(),
                record.timestamp(), record.key(), record.value());
        record.headers().forEach(header -> changed.headers().add(header.key(), header.value()));
        for (int i = 4; i < words.length; i++) {
            String[] header = words[i].split("=", 2);
            changed.headers().remove(header[0]).add(header[0], header[1].getBytes(StandardCharsets.UTF_8));
        }
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(properties, new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.send(changed).get();
        }
    }
}
