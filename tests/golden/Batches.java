// What Kafka's own client writes, for the tests of `core/src/record`, `core/src/code.rs` and `core/src/producer`.
//
//   java -cp "$KAFKA_HOME/libs/*" tests/golden/Batches.java tests/golden/batches
//
// KAFKA_HOME is an unpacked Kafka 4.3.1 (Java 17 or later). The output is checked in and does not change between runs.

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;

import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.DefaultRecord;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.utils.Utils;

public class Batches {
    static final long T = 1_700_000_000_000L;
    static Path out;

    public static void main(String[] args) throws Exception {
        out = Path.of(args[args.length - 1]);
        plain();
        headers();
        timestamps();
        marked();
        compacted();
        controls();
        oldFormats();
        murmur2();
        errors();
    }

    // As the producer builds a batch that is neither idempotent nor compressed.
    static MemoryRecordsBuilder producer(Compression compression) {
        return MemoryRecords.builder(ByteBuffer.allocate(1 << 16), RecordBatch.CURRENT_MAGIC_VALUE, compression,
            TimestampType.CREATE_TIME, 0L);
    }

    // Null and empty keys and values; the second record is older than the first, the third is the newest.
    static void plain() throws Exception {
        MemoryRecordsBuilder b = producer(Compression.NONE);
        b.append(T, bytes("key"), bytes("value"));
        b.append(T - 70, null, bytes("no key"));
        b.append(T + 9000, bytes(""), bytes("empty key"));
        b.append(T + 1, bytes("tombstone"), (byte[]) null);
        b.append(T + 2, bytes("empty value"), bytes(""));
        b.append(T + 3, (byte[]) null, (byte[]) null);
        b.append(T + 4, bytes("k".repeat(64)), bytes("v".repeat(9000)));
        save("plain.bin", b.build());

        b = producer(Compression.NONE);
        for (int i = 0; i < 300; i++) b.append(T + i, null, bytes("n" + i));
        save("many.bin", b.build());

        b = producer(Compression.lz4().build());
        for (int i = 0; i < 3; i++) b.append(T + i, bytes("key"), bytes("value".repeat(20)));
        save("lz4.bin", b.build());
    }

    static void headers() throws Exception {
        MemoryRecordsBuilder b = producer(Compression.NONE);
        b.append(T, bytes("k"), bytes("v"), new Header[] {
            new RecordHeader("b", bytes("1")), new RecordHeader("a", bytes("2")), new RecordHeader("b", bytes("3")),
            new RecordHeader("null", (byte[]) null), new RecordHeader("empty", bytes("")),
            new RecordHeader("", bytes("no name")), new RecordHeader("größe", bytes("x".repeat(100))),
        });
        b.append(T, null, (byte[]) null, new Header[] {new RecordHeader("only", (byte[]) null)});
        save("headers.bin", b.build());
    }

    // The builder refuses negative timestamps other than -1; brokers and other clients do not.
    static void timestamps() throws Exception {
        MemoryRecordsBuilder b = producer(Compression.NONE);
        for (int i = 0; i < 2; i++) b.append(-1, null, bytes("unknown"));
        save("no_timestamp.bin", b.build());

        long[] times = {-1, Long.MIN_VALUE, -5, Long.MAX_VALUE, 0};
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        DataOutputStream data = new DataOutputStream(body);
        for (int i = 0; i < times.length; i++) {
            DefaultRecord.writeTo(data, i, times[i] - times[0], null, ByteBuffer.wrap(bytes("t" + i)), new Header[0]);
        }
        batch("far_timestamps.bin", body, 0, times.length - 1, times[0], Long.MAX_VALUE, false, times.length);
    }

    // What makes a batch something else than plain.
    static void marked() throws Exception {
        MemoryRecordsBuilder b = MemoryRecords.builder(ByteBuffer.allocate(1024), RecordBatch.CURRENT_MAGIC_VALUE,
            Compression.NONE, TimestampType.LOG_APPEND_TIME, 1000L, T + 77, 5);
        for (int i = 0; i < 3; i++) b.append(T + i, null, bytes("a" + i));
        save("log_append_time.bin", b.build());

        b = MemoryRecords.builder(ByteBuffer.allocate(1024), Compression.NONE, 0L, 4711L, (short) 3,
            Integer.MAX_VALUE - 1, false);
        for (int i = 0; i < 3; i++) b.append(T + i, null, bytes("i" + i));
        save("idempotent.bin", b.build());

        b = MemoryRecords.builder(ByteBuffer.allocate(1024), Compression.NONE, 0L, 4711L, (short) 3, 7, true);
        b.append(T, bytes("k"), bytes("in a transaction"));
        save("transactional.bin", b.build());
    }

    // What compaction leaves: gaps, a last offset without a record, a delete horizon, no record at all.
    static void compacted() throws Exception {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        DataOutputStream data = new DataOutputStream(body);
        long horizon = T + 86_400_000;
        DefaultRecord.writeTo(data, 2, T - horizon, ByteBuffer.wrap(bytes("a")), null, new Header[0]);
        DefaultRecord.writeTo(data, 6, T + 1 - horizon, ByteBuffer.wrap(bytes("b")), ByteBuffer.wrap(bytes("x")), new Header[0]);
        batch("delete_horizon.bin", body, 500, 9, horizon, T + 1, true, 2);

        ByteBuffer empty = ByteBuffer.allocate(DefaultRecordBatch.RECORD_BATCH_OVERHEAD);
        DefaultRecordBatch.writeEmptyHeader(empty, RecordBatch.CURRENT_MAGIC_VALUE, 4711L, (short) 3, 7, 510, 519, 2,
            TimestampType.CREATE_TIME, T, true, false);
        empty.flip();
        save("empty.bin", MemoryRecords.readableRecords(empty));
    }

    static void controls() throws Exception {
        save("commit.bin", MemoryRecords.withEndTransactionMarker(42, T, 9, 4711L, (short) 3,
            new EndTransactionMarker(ControlRecordType.COMMIT, 11)));
        save("abort.bin", MemoryRecords.withEndTransactionMarker(43, T, 9, 4711L, (short) 3,
            new EndTransactionMarker(ControlRecordType.ABORT, 11)));
    }

    static void oldFormats() throws Exception {
        for (byte magic = 0; magic < 2; magic++) {
            MemoryRecordsBuilder b = MemoryRecords.builder(ByteBuffer.allocate(1024), magic, Compression.NONE,
                magic == 0 ? TimestampType.NO_TIMESTAMP_TYPE : TimestampType.CREATE_TIME, 8L);
            b.append(magic == 0 ? -1 : T, null, bytes(""));
            save("magic" + magic + ".bin", b.build());
        }
    }

    // Length, key, hash and partition of 1,000; then the next key. A thousand of the hashes have the top bit set.
    static void murmur2() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream data = new DataOutputStream(bytes);
        Random random = new Random(43);
        int negative = 0, positive = 0;
        while (negative < 1000) {
            byte[] key = new byte[random.nextInt(13)];
            random.nextBytes(key);
            if (Utils.murmur2(key) < 0) negative++;
            else if (++positive > 200) continue;
            vector(data, key);
        }
        for (String key : new String[] {"", "wu", "k".repeat(255)}) vector(data, bytes(key));
        Files.write(out.resolve("murmur2.bin"), bytes.toByteArray());
    }

    static void vector(DataOutputStream data, byte[] key) throws Exception {
        data.writeByte(key.length);
        data.write(key);
        data.writeInt(Utils.murmur2(key));
        data.writeShort(BuiltInPartitioner.partitionForKey(key, 1000));
    }

    static void errors() throws Exception {
        StringBuilder lines = new StringBuilder();
        for (Errors e : Errors.values()) {
            String kind = e.exception() instanceof RetriableException ? "retriable" : "permanent";
            lines.append(e.code()).append(' ').append(e.name()).append(' ').append(kind).append('\n');
        }
        Files.writeString(out.resolve("errors.txt"), lines);
    }

    static void batch(String name, ByteArrayOutputStream body, long baseOffset, int lastOffsetDelta, long baseTimestamp,
                      long maxTimestamp, boolean deleteHorizon, int count) throws Exception {
        int size = DefaultRecordBatch.RECORD_BATCH_OVERHEAD + body.size();
        ByteBuffer buffer = ByteBuffer.allocate(size);
        buffer.position(DefaultRecordBatch.RECORD_BATCH_OVERHEAD);
        buffer.put(body.toByteArray());
        buffer.position(0);
        DefaultRecordBatch.writeHeader(buffer, baseOffset, lastOffsetDelta, size, RecordBatch.CURRENT_MAGIC_VALUE,
            CompressionType.NONE, TimestampType.CREATE_TIME, baseTimestamp, maxTimestamp, RecordBatch.NO_PRODUCER_ID,
            RecordBatch.NO_PRODUCER_EPOCH, RecordBatch.NO_SEQUENCE, false, false, deleteHorizon,
            RecordBatch.NO_PARTITION_LEADER_EPOCH, count);
        buffer.position(0);
        save(name, MemoryRecords.readableRecords(buffer));
    }

    static void save(String name, MemoryRecords records) throws Exception {
        records.batches().forEach(batch -> batch.ensureValid());
        ByteBuffer buffer = records.buffer().duplicate();
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        Files.write(out.resolve(name), bytes);
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
