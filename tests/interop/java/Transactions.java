import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Arguments: bootstrap list, topic, partitions, rounds, seed. Writes by two transactional producers at once and one that has no
 * transactions, with different codecs; half of the transactions are aborted, and the last one of all is left open. Values say what
 * became of them: committed, aborted, open or plain. Prints how many records of a committed transaction and plain ones there are
 * before the one that is left open, in each partition.
 */
public class Transactions {
    static KafkaProducer<byte[], byte[]> producer(String bootstrap, String id, String codec) {
        Map<String, Object> settings =
            new HashMap<>(Map.of("bootstrap.servers", bootstrap, "compression.type", codec, "linger.ms", 5));
        if (id != null) settings.put("transactional.id", id);
        var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
        if (id != null) producer.initTransactions();
        return producer;
    }

    public static void main(String[] args) throws Exception {
        String topic = args[1];
        int partitions = Integer.parseInt(args[2]);
        var random = new Random(Long.parseLong(args[4]));
        var transactional =
            List.of(producer(args[0], topic + "-1", "none"), producer(args[0], topic + "-2", "lz4"));
        var plain = producer(args[0], null, "gzip");
        var visible = new long[partitions];
        int number = 0;
        for (int round = 0; round < Integer.parseInt(args[3]); round++) {
            var commits = List.of(random.nextBoolean(), random.nextBoolean());
            transactional.forEach(KafkaProducer::beginTransaction);
            for (int i = 0; i < 30; i++) {
                int who = random.nextInt(3), partition = random.nextInt(partitions);
                String fate = who == 2 ? "plain" : commits.get(who) ? "committed" : "aborted";
                var record = new ProducerRecord<byte[], byte[]>(topic, partition, null, (fate + " " + number++).getBytes());
                (who == 2 ? plain : transactional.get(who)).send(record);
                if (!fate.equals("aborted")) visible[partition]++;
                // Now and then what was sent goes out at once, so that batches of all three lie in turn.
                if (random.nextInt(4) == 0) { plain.flush(); transactional.forEach(KafkaProducer::flush); }
            }
            plain.flush();
            for (int who = 0; who < 2; who++) {
                transactional.get(who).flush();
                if (commits.get(who)) transactional.get(who).commitTransaction(); else transactional.get(who).abortTransaction();
            }
        }
        transactional.get(0).beginTransaction();
        for (int partition = 0; partition < partitions; partition++) {
            transactional.get(0).send(new ProducerRecord<>(topic, partition, null, "open".getBytes())).get();
            plain.send(new ProducerRecord<>(topic, partition, null, "plain but behind it".getBytes())).get();
        }
        for (long count : visible) System.out.println(count);
        Runtime.getRuntime().halt(0);
    }
}
