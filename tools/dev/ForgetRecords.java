/* SPDX-License-Identifier: Apache-2.0
 *
 * What retention or a mishap does to topics, by Apache Kafka's own admin client: every record of them is deleted, or, with
 * "whole" as the third argument, the topics themselves. Run by "tools/dev/kafka forget". */

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;

public final class ForgetRecords {
    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        List<String> topics = List.of(arguments[1].split(","));
        try (Admin admin = Admin.create(properties)) {
            if (arguments.length > 2) {
                admin.deleteTopics(topics).all().get();
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

    private ForgetRecords() {}
}
