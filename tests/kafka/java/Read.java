import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Properties;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Arguments: bootstrap list, topic, how many, and, where there are some, a file of further settings. Prints that many records of all partitions, a line each:
 * partition, offset, kind of time, time, key, value, and each header as name=value, all bytes in hex.
 */
public class Read {
    static String hex(byte[] bytes) {
        return bytes == null ? "null" : "x" + HexFormat.of().formatHex(bytes);
    }

    static void print(ConsumerRecord<byte[], byte[]> record) {
        String headers = StreamSupport.stream(record.headers().spliterator(), false)
            .map(h -> " " + hex(h.key().getBytes(java.nio.charset.StandardCharsets.UTF_8)) + "=" + hex(h.value()))
            .collect(Collectors.joining());
        System.out.println(record.partition() + " " + record.offset() + " " + record.timestampType() + " "
            + record.timestamp() + " " + hex(record.key()) + " " + hex(record.value()) + headers);
    }

    public static void main(String[] args) throws Exception {
        var settings = new Properties();
        settings.put("bootstrap.servers", args[0]);
        if (args.length > 3) settings.load(Files.newBufferedReader(Path.of(args[3])));
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            var partitions = consumer.partitionsFor(args[1]).stream()
                .map(p -> new TopicPartition(p.topic(), p.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            long left = Long.parseLong(args[2]);
            while (left > 0) {
                for (var record : consumer.poll(Duration.ofSeconds(1))) {
                    print(record);
                    left--;
                }
            }
        }
    }
}
