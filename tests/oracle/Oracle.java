// Kafka's own classes beside ours: reads messages as JSON, writes their bytes. tests/java.rs runs it, by
//
//     tests/kafka/cluster java --bootstrap none tests/oracle/Oracle.java CASES ANSWERS
//
// A line of CASES is a class, a version and a value in JSON, with blanks between them. A line of ANSWERS is a case's
// bytes in hexadecimal, and after a blank those with tagged fields in every structure that nobody knows, where the
// version can have them. What starts with `#` says what the release has: its APIs, and what is in new objects.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.PrintWriter;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.protocol.types.RawTaggedField;

public class Oracle {
    static final String PACKAGE = "org.apache.kafka.common.message.";
    static final Map<String, Method> READERS = new TreeMap<>();

    public static void main(String[] args) throws Exception {
        ObjectMapper mapper = new ObjectMapper();
        try (BufferedReader cases = Files.newBufferedReader(Path.of(args[1]));
             PrintWriter answers = new PrintWriter(Files.newBufferedWriter(Path.of(args[2])))) {
            for (ApiKeys api : ApiKeys.values()) answers.println(api(api));
            for (String line = cases.readLine(); line != null; line = cases.readLine()) {
                String[] parts = line.split(" ", 3);
                if (!READERS.containsKey(parts[0])) defaults(answers, Class.forName(PACKAGE + parts[0]), parts[0]);
                answers.println(answer(parts[0], Short.parseShort(parts[1]), mapper.readTree(parts[2])));
            }
        }
    }

    static String api(ApiKeys api) {
        return "#api " + api.id + " " + api.name + " " + api.messageType.lowestSupportedVersion() + " "
            + api.messageType.highestSupportedVersion(true);
    }

    static Message read(String name, short version, JsonNode json) throws Exception {
        Method reader = READERS.get(name);
        if (reader == null) {
            Class<?> converter = Class.forName(PACKAGE + name + "JsonConverter");
            reader = converter.getMethod("read", JsonNode.class, short.class);
            READERS.put(name, reader);
        }
        return (Message) reader.invoke(null, json, version);
    }

    static String answer(String name, short version, JsonNode json) throws Exception {
        Message message = read(name, version, json);
        byte[] bytes = bytes(message, version);
        Message again = message.getClass().getConstructor().newInstance();
        again.read(new ByteBufferAccessor(ByteBuffer.wrap(bytes)), version);
        if (!again.equals(message)) throw new AssertionError(message + " became " + again);
        String hex = HexFormat.of().formatHex(bytes);
        try {
            addUnknown(message);
            return hex + " " + HexFormat.of().formatHex(bytes(message, version));
        } catch (UnsupportedVersionException notFlexible) {
            return hex;
        }
    }

    static byte[] bytes(Message message, short version) {
        return MessageUtil.byteBufferToArray(MessageUtil.toByteBufferAccessor(message, version).buffer());
    }

    // Adds them to a structure and to all within it.
    static void addUnknown(Object value) throws Exception {
        if (value instanceof Collection<?> elements) {
            for (Object element : elements) addUnknown(element);
        }
        if (!(value instanceof Message message)) return;
        message.unknownTaggedFields().add(new RawTaggedField(99, new byte[] {-1, -1, -1}));
        message.unknownTaggedFields().add(new RawTaggedField(1 << 20, new byte[0]));
        for (Field field : fields(message.getClass())) {
            Object inner = field.get(message);
            // One that is as it is when new may be of another version, which then would refuse it.
            boolean unset = inner instanceof Message && inner.equals(inner.getClass().getConstructor().newInstance());
            if (!unset) addUnknown(inner);
        }
    }

    static Iterable<Field> fields(Class<?> type) {
        Collection<Field> own = new java.util.ArrayList<>();
        for (Field field : type.getDeclaredFields()) {
            // What is no field of the protocol: the list of unknown ones, and the places of elements in a hash table.
            boolean other = field.getName().matches("_unknownTaggedFields|next|prev") && !field.getType().isInstance("");
            if (Modifier.isStatic(field.getModifiers()) || other) continue;
            field.setAccessible(true);
            own.add(field);
        }
        return own;
    }

    // A message and the structures in it as they are when they are new.
    static void defaults(PrintWriter answers, Class<?> type, String name) throws Exception {
        if (!Message.class.isAssignableFrom(type)) return;
        StringBuilder line = new StringBuilder("#new " + name);
        Object made = type.getConstructor().newInstance();
        for (Field field : fields(type)) {
            Object value = field.get(made);
            String text = value instanceof Message ? "{}"
                : value instanceof Collection || value instanceof byte[] || value instanceof ByteBuffer ? "[]" : String.valueOf(value);
            line.append(' ').append(field.getName()).append('=').append(text);
        }
        answers.println(line);
        for (Class<?> inner : type.getDeclaredClasses()) defaults(answers, inner, name + "$" + inner.getSimpleName());
    }
}
