import java.util.Map;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Arguments: bootstrap list, topic, and a word for each transaction: commit or abort. Each writes two records to
 * partition 0, named after the transaction's number and its word.
 */
public class Transactions {
    public static void main(String[] args) {
        Map<String, Object> settings = Map.of("bootstrap.servers", args[0], "transactional.id", "tests-" + args[1]);
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            producer.initTransactions();
            for (int i = 2; i < args.length; i++) {
                producer.beginTransaction();
                for (String part : new String[] {"a", "b"}) {
                    producer.send(new ProducerRecord<>(args[1], 0, "k", (i - 2) + part + "-" + args[i]));
                }
                producer.flush();
                if (args[i].equals("commit")) producer.commitTransaction();
                else producer.abortTransaction();
            }
        }
    }
}
