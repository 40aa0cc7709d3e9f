import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Arguments: bootstrap list, topic. Writes one record of every kind to partition 0 and prints the time that Kafka gave each. */
public class Specimens {
    static byte[] bytes(int... values) {
        byte[] out = new byte[values.length];
        for (int i = 0; i < values.length; i++) out[i] = (byte) values[i];
        return out;
    }

    static Header header(String key, byte[] value) {
        return new RecordHeader(key, value);
    }

    public static void main(String[] args) throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", args[0], "linger.ms", 200);
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            byte[] empty = new byte[0];
            List<Header> none = List.of();
            var records = List.of(
                new ProducerRecord<byte[], byte[]>(args[1], 0, 1_700_000_000_001L, null, null, none),
                new ProducerRecord<byte[], byte[]>(args[1], 0, 1_700_000_000_000L, empty, empty, none),
                new ProducerRecord<byte[], byte[]>(args[1], 0, 0L, bytes(0, 255), bytes(1, 2, 3), none),
                new ProducerRecord<byte[], byte[]>(args[1], 0, 5L, bytes('k'), null,
                    List.of(header("b", bytes('2')), header("a", null), header("b", empty), header("", bytes(0)))),
                new ProducerRecord<byte[], byte[]>(args[1], 0, 1_700_000_000_002L, null, bytes('v'),
                    List.of(header("\u043a\u043b\u044e\u0447", bytes(0xff, 0xfe)))),
                new ProducerRecord<byte[], byte[]>(args[1], 0, 1_700_000_000_003L, bytes('l'), new byte[100_000], none));
            var sent = new java.util.ArrayList<Future<RecordMetadata>>();
            for (var record : records) sent.add(producer.send(record));
            for (var future : sent) System.out.println(future.get().timestamp());
        }
    }
}
