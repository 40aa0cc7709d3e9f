import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Arguments: bootstrap list, topic, file, file of further settings. Writes a record for each of the file's lines: codec, partition, time, key, value,
 * and each header as name=value, all bytes in hex after an x, or null. Fails with the first that is refused.
 */
public class Write {
    static byte[] bytes(String hex) {
        return hex.equals("null") ? null : HexFormat.of().parseHex(hex.substring(1));
    }

    static Header header(String text) {
        int at = text.indexOf('=');
        return new RecordHeader(new String(bytes(text.substring(0, at)), java.nio.charset.StandardCharsets.UTF_8),
            bytes(text.substring(at + 1)));
    }

    static KafkaProducer<byte[], byte[]> producer(String bootstrap, String codec, Map<?, ?> more) {
        Map<String, Object> settings = new HashMap<>(
            Map.of("bootstrap.servers", bootstrap, "compression.type", codec, "linger.ms", 50, "batch.size", 1_000_000));
        more.forEach((key, value) -> settings.put((String) key, value));
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }

    public static void main(String[] args) throws Exception {
        var producers = new HashMap<String, KafkaProducer<byte[], byte[]>>();
        var sent = new ArrayList<Future<?>>();
        var more = new Properties();
        more.load(Files.newBufferedReader(Path.of(args[3])));
        for (String line : Files.readAllLines(Path.of(args[2]))) {
            String[] fields = line.split(" ");
            List<Header> headers = List.of(fields).subList(5, fields.length).stream().map(Write::header).toList();
            sent.add(producers.computeIfAbsent(fields[0], codec -> producer(args[0], codec, more)).send(new ProducerRecord<>(
                args[1], Integer.parseInt(fields[1]), Long.parseLong(fields[2]), bytes(fields[3]), bytes(fields[4]), headers)));
        }
        for (var future : sent) future.get();
        producers.values().forEach(KafkaProducer::close);
    }
}
