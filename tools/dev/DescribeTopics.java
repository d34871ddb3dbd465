/* SPDX-License-Identifier: Apache-2.0
 *
 * What topics a broker has, told by Apache Kafka's own admin client: one JSON object a line with name, partitions,
 * copies and the settings that were made for the topic. The oracle of the tests of `headrace topics`. Run by
 * "tools/dev/kafka topics". */

import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.config.ConfigResource;

public final class DescribeTopics {
    public static void main(String[] arguments) throws Exception {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", arguments[0]);
        try (Admin admin = Admin.create(properties)) {
            Map<String, TopicDescription> topics = admin.describeTopics(admin.listTopics().names().get()).allTopicNames().get();
            for (String name : new TreeSet<>(topics.keySet())) {
                ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, name);
                Config config = admin.describeConfigs(List.of(resource)).values().get(resource).get();
                print(topics.get(name), config);
            }
        }
    }

    private static void print(TopicDescription topic, Config config) {
        Map<String, String> settings = new TreeMap<>();
        for (ConfigEntry entry : config.entries()) {
            if (entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG) {
                settings.put(entry.name(), entry.value());
            }
        }
        StringBuilder out = new StringBuilder();
        out.append("{\"topic\":\"").append(topic.name()).append("\",\"partitions\":").append(topic.partitions().size());
        out.append(",\"copies\":").append(topic.partitions().get(0).replicas().size()).append(",\"settings\":{");
        String comma = "";
        for (Map.Entry<String, String> setting : settings.entrySet()) {
            out.append(comma).append('"').append(setting.getKey()).append("\":\"").append(setting.getValue()).append('"');
            comma = ",";
        }
        System.out.println(out.append("}}"));
    }

    private DescribeTopics() {}
}
