/* SPDX-License-Identifier: Apache-2.0
 *
 * What retention or a mishap does to topics, by Apache Kafka's own admin client: every record of them is deleted, or, with
 * "whole" as the third argument, the topics themselves; with "compact" the broker compacts them from now on, soon after each
 * record. Run by "tools/dev/kafka forget" and "compact". */

import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;
import org.apache.kafka.common.config.ConfigResource;

public final class ForgetRecords {
    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        List<String> topics = List.of(arguments[1].split(","));
        try (Admin admin = Admin.create(properties)) {
            if (arguments.length > 2) {
                if (arguments[2].equals("compact")) {
                    compact(admin, topics);
                } else {
                    admin.deleteTopics(topics).all().get();
                }
                return;
            }
            Map<TopicPartition, RecordsToDelete> all = new HashMap<>();
            for (TopicDescription topic : admin.describeTopics(topics).allTopicNames().get().values()) {
                for (TopicPartitionInfo partition : topic.partitions()) {
                    all.put(new TopicPartition(topic.name(), partition.partition()), RecordsToDelete.beforeOffset(-1));
                }
            }
            admin.deleteRecords(all).all().get();
        }
    }

    /** A segment is closed by the first record that comes a moment after it was begun; what is closed is compacted, and of
     * transactions nothing is kept but the place of their last record. */
    private static void compact(Admin admin, List<String> topics) throws Exception {
        Map<ConfigResource, Collection<AlterConfigOp>> changes = new HashMap<>();
        changes.put(new ConfigResource(ConfigResource.Type.BROKER, ""), settings(Map.of("log.cleaner.backoff.ms", "200")));
        for (String topic : topics) {
            changes.put(new ConfigResource(ConfigResource.Type.TOPIC, topic), settings(Map.of(
                    "cleanup.policy", "compact", "segment.ms", "10", "min.cleanable.dirty.ratio", "0.001",
                    "min.compaction.lag.ms", "0", "delete.retention.ms", "0")));
        }
        admin.incrementalAlterConfigs(changes).all().get();
    }

    private static Collection<AlterConfigOp> settings(Map<String, String> values) {
        Collection<AlterConfigOp> out = new ArrayList<>();
        values.forEach((name, value) -> out.add(new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET)));
        return out;
    }

    private ForgetRecords() {}
}
