import java.util.List;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.config.ConfigDef;

/** Prints a line for each setting that a producer or a consumer has: who, name, default; nothing behind the name: none. */
public class Defaults {
    static void print(String who, ConfigDef settings) {
        settings.configKeys().forEach((name, key) -> {
            Object value = key.hasDefault() ? key.defaultValue : null;
            String text = value instanceof List<?> list
                ? list.stream().map(String::valueOf).collect(Collectors.joining(",")) : value == null ? "" : value.toString();
            System.out.println(who + " " + name + " " + text);
        });
    }

    public static void main(String[] args) {
        print("producer", ProducerConfig.configDef());
        print("consumer", ConsumerConfig.configDef());
    }
}
