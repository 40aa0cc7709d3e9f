// Writes frames with Kafka's own classes; klamm's tests write the same ones and compare byte for byte, then read them.
// What is in each message is repeated in core/codegen/tests/wire/golden.rs.
//
// From the folder of this file, with the jar kafka-clients of Apache Kafka 4.3.1, and Java 17:
//
//     java -cp kafka-clients-4.3.1.jar Frames.java frames

import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.message.*;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.requests.RequestUtils;

public class Frames {
    static final Uuid ID = new Uuid(0x0001020304050607L, 0x08090a0b0c0d0e0fL);
    static final Uuid OTHER_ID = new Uuid(-1L, -2L);
    static Path folder;

    public static void main(String[] args) throws Exception {
        folder = Path.of(args[args.length - 1]);
        Files.createDirectories(folder);
        for (int v : List.of(2, 4)) {
            request(ApiKeys.API_VERSIONS, v, apiVersionsRequest(v));
            response(ApiKeys.API_VERSIONS, v, apiVersionsResponse(v));
        }
        for (int v : List.of(8, 13)) {
            request(ApiKeys.METADATA, v, metadataRequest(v));
            response(ApiKeys.METADATA, v, metadataResponse(v));
        }
        for (int v : List.of(8, 13)) {
            request(ApiKeys.PRODUCE, v, produceRequest(v));
            response(ApiKeys.PRODUCE, v, produceResponse(v));
        }
        for (int v : List.of(11, 18)) {
            request(ApiKeys.FETCH, v, fetchRequest(v));
            response(ApiKeys.FETCH, v, fetchResponse(v));
        }
        for (int v : List.of(5, 11)) {
            request(ApiKeys.LIST_OFFSETS, v, listOffsetsRequest(v));
            response(ApiKeys.LIST_OFFSETS, v, listOffsetsResponse(v));
        }
        for (int v : List.of(1, 5)) {
            request(ApiKeys.INIT_PRODUCER_ID, v, initProducerIdRequest(v));
            response(ApiKeys.INIT_PRODUCER_ID, v, initProducerIdResponse(v));
        }
        for (int v : List.of(4, 7)) {
            request(ApiKeys.CREATE_TOPICS, v, createTopicsRequest(v));
            response(ApiKeys.CREATE_TOPICS, v, createTopicsResponse(v));
        }
    }

    static void request(ApiKeys api, int v, ApiMessage body) throws Exception {
        RequestHeaderData header = new RequestHeaderData()
            .setRequestApiKey(api.id).setRequestApiVersion((short) v).setCorrelationId(0x01020304).setClientId("klämm");
        write(header, api.requestHeaderVersion((short) v), body, v);
    }

    static void response(ApiKeys api, int v, ApiMessage body) throws Exception {
        ResponseHeaderData header = new ResponseHeaderData().setCorrelationId(0x01020304);
        write(header, api.responseHeaderVersion((short) v), body, v);
    }

    static void write(ApiMessage header, short headerVersion, ApiMessage body, int v) throws Exception {
        ByteBuffer message = RequestUtils.serialize(header, headerVersion, body, (short) v);
        ByteBuffer frame = ByteBuffer.allocate(4 + message.remaining());
        frame.putInt(message.remaining()).put(message);
        String name = body.getClass().getSimpleName().replace("Data", "");
        Files.write(folder.resolve(name + "-" + v + ".bin"), frame.array());
    }

    static MemoryRecords records(int length) {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) 0xee);
        return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes));
    }

    static ApiMessage apiVersionsRequest(int v) {
        ApiVersionsRequestData data = new ApiVersionsRequestData();
        return v < 3 ? data : data.setClientSoftwareName("klamm").setClientSoftwareVersion("0.1.0");
    }

    static ApiMessage apiVersionsResponse(int v) {
        ApiVersionsResponseData data = new ApiVersionsResponseData().setErrorCode((short) 35).setThrottleTimeMs(-1);
        data.apiKeys().add(new ApiVersionsResponseData.ApiVersion()
            .setApiKey((short) 0).setMinVersion((short) 3).setMaxVersion((short) 13));
        data.apiKeys().add(new ApiVersionsResponseData.ApiVersion()
            .setApiKey((short) 18).setMinVersion((short) 0).setMaxVersion((short) 4));
        if (v < 3) return data;
        data.supportedFeatures().add(new ApiVersionsResponseData.SupportedFeatureKey()
            .setName("transaction.version").setMinVersion((short) 0).setMaxVersion((short) 2));
        data.finalizedFeatures().add(new ApiVersionsResponseData.FinalizedFeatureKey()
            .setName("transaction.version").setMaxVersionLevel((short) 2).setMinVersionLevel((short) 1));
        return data.setFinalizedFeaturesEpoch(1L << 40).setZkMigrationReady(true);
    }

    static ApiMessage metadataRequest(int v) {
        MetadataRequestData data = new MetadataRequestData().setAllowAutoTopicCreation(false);
        data.setIncludeTopicAuthorizedOperations(true).topics().add(
            new MetadataRequestData.MetadataRequestTopic().setName("orders"));
        if (v < 10) return data.setIncludeClusterAuthorizedOperations(true);
        data.topics().add(new MetadataRequestData.MetadataRequestTopic().setName(null).setTopicId(ID));
        return data;
    }

    static ApiMessage metadataResponse(int v) {
        MetadataResponseData data = new MetadataResponseData()
            .setThrottleTimeMs(100).setClusterId("cluster").setControllerId(2);
        data.brokers().add(new MetadataResponseData.MetadataResponseBroker()
            .setNodeId(1).setHost("a.example").setPort(9092).setRack(null));
        data.brokers().add(new MetadataResponseData.MetadataResponseBroker()
            .setNodeId(2).setHost("::1").setPort(65535).setRack("r"));
        MetadataResponseData.MetadataResponsePartition partition = new MetadataResponseData.MetadataResponsePartition()
            .setErrorCode((short) 9).setPartitionIndex(3).setLeaderId(2).setLeaderEpoch(7)
            .setReplicaNodes(List.of(1, 2)).setIsrNodes(List.of(2)).setOfflineReplicas(List.of(1));
        MetadataResponseData.MetadataResponseTopic topic = new MetadataResponseData.MetadataResponseTopic()
            .setName("orders").setIsInternal(true).setPartitions(List.of(partition)).setTopicAuthorizedOperations(0xff);
        if (v >= 10) topic.setTopicId(ID);
        data.topics().add(topic);
        if (v < 10) return data.setClusterAuthorizedOperations(3);
        data.topics().add(new MetadataResponseData.MetadataResponseTopic()
            .setErrorCode((short) 100).setName(null).setTopicId(OTHER_ID));
        return data.setErrorCode((short) 87);
    }

    static ApiMessage produceRequest(int v) {
        ProduceRequestData data = new ProduceRequestData()
            .setTransactionalId(v < 9 ? null : "tx").setAcks((short) -1).setTimeoutMs(30000);
        ProduceRequestData.TopicProduceData topic = new ProduceRequestData.TopicProduceData().setPartitionData(List.of(
            new ProduceRequestData.PartitionProduceData().setIndex(0).setRecords(records(200)),
            new ProduceRequestData.PartitionProduceData().setIndex(1).setRecords(null)));
        data.topicData().add(v < 13 ? topic.setName("orders") : topic.setTopicId(ID));
        return data;
    }

    static ApiMessage produceResponse(int v) {
        ProduceResponseData.PartitionProduceResponse good = new ProduceResponseData.PartitionProduceResponse()
            .setIndex(0).setBaseOffset(1L << 33).setLogAppendTimeMs(1700000000000L).setLogStartOffset(5);
        ProduceResponseData.PartitionProduceResponse bad = new ProduceResponseData.PartitionProduceResponse()
            .setIndex(1).setErrorCode((short) 6).setBaseOffset(-1).setErrorMessage("no leader")
            .setRecordErrors(List.of(
                new ProduceResponseData.BatchIndexAndErrorMessage().setBatchIndex(4).setBatchIndexErrorMessage("bad"),
                new ProduceResponseData.BatchIndexAndErrorMessage().setBatchIndex(5)));
        ProduceResponseData data = new ProduceResponseData().setThrottleTimeMs(1);
        if (v >= 10) {
            bad.setCurrentLeader(new ProduceResponseData.LeaderIdAndEpoch().setLeaderId(3).setLeaderEpoch(8));
            data.nodeEndpoints().add(
                new ProduceResponseData.NodeEndpoint().setNodeId(3).setHost("c").setPort(1).setRack("r"));
        }
        ProduceResponseData.TopicProduceResponse topic =
            new ProduceResponseData.TopicProduceResponse().setPartitionResponses(List.of(good, bad));
        data.responses().add(v < 13 ? topic.setName("orders") : topic.setTopicId(ID));
        return data;
    }

    static ApiMessage fetchRequest(int v) {
        FetchRequestData.FetchPartition partition = new FetchRequestData.FetchPartition()
            .setPartition(2).setCurrentLeaderEpoch(4).setFetchOffset(99).setLogStartOffset(-1).setPartitionMaxBytes(1 << 20);
        FetchRequestData.FetchTopic topic = new FetchRequestData.FetchTopic().setPartitions(List.of(partition));
        FetchRequestData.ForgottenTopic forgotten = new FetchRequestData.ForgottenTopic().setPartitions(List.of(0, 1));
        FetchRequestData data = new FetchRequestData().setMaxWaitMs(500).setMinBytes(1).setMaxBytes(4 << 20)
            .setIsolationLevel((byte) 1).setSessionId(77).setSessionEpoch(1).setRackId("r")
            .setTopics(List.of(topic)).setForgottenTopicsData(List.of(forgotten));
        if (v < 12) {
            topic.setTopic("orders");
            forgotten.setTopic("old");
            return data;
        }
        topic.setTopicId(ID);
        forgotten.setTopicId(OTHER_ID);
        partition.setLastFetchedEpoch(3).setReplicaDirectoryId(ID).setHighWatermark(-1);
        return data.setClusterId("cluster")
            .setReplicaState(new FetchRequestData.ReplicaState().setReplicaId(9).setReplicaEpoch(10));
    }

    static ApiMessage fetchResponse(int v) {
        FetchResponseData.PartitionData full = new FetchResponseData.PartitionData()
            .setPartitionIndex(2).setHighWatermark(100).setLastStableOffset(98).setLogStartOffset(1)
            .setAbortedTransactions(List.of(
                new FetchResponseData.AbortedTransaction().setProducerId(1000).setFirstOffset(90)))
            .setPreferredReadReplica(5).setRecords(records(300));
        FetchResponseData.PartitionData moved = new FetchResponseData.PartitionData()
            .setPartitionIndex(3).setErrorCode((short) 6).setHighWatermark(-1).setAbortedTransactions(null)
            .setRecords(records(0));
        FetchResponseData.FetchableTopicResponse topic =
            new FetchResponseData.FetchableTopicResponse().setPartitions(List.of(full, moved));
        FetchResponseData data = new FetchResponseData().setThrottleTimeMs(3).setErrorCode((short) 0).setSessionId(77)
            .setResponses(List.of(topic));
        if (v < 12) {
            topic.setTopic("orders");
            return data;
        }
        topic.setTopicId(ID);
        moved.setDivergingEpoch(new FetchResponseData.EpochEndOffset().setEpoch(2).setEndOffset(50))
            .setCurrentLeader(new FetchResponseData.LeaderIdAndEpoch().setLeaderId(3).setLeaderEpoch(8))
            .setSnapshotId(new FetchResponseData.SnapshotId().setEndOffset(10).setEpoch(1));
        data.nodeEndpoints().add(new FetchResponseData.NodeEndpoint().setNodeId(3).setHost("c").setPort(1));
        return data;
    }

    static ApiMessage listOffsetsRequest(int v) {
        return new ListOffsetsRequestData().setReplicaId(-1).setIsolationLevel((byte) 1).setTimeoutMs(v < 10 ? 0 : 1000)
            .setTopics(List.of(new ListOffsetsRequestData.ListOffsetsTopic().setName("orders").setPartitions(List.of(
                new ListOffsetsRequestData.ListOffsetsPartition().setPartitionIndex(1).setTimestamp(-2),
                new ListOffsetsRequestData.ListOffsetsPartition().setPartitionIndex(2).setCurrentLeaderEpoch(6)
                    .setTimestamp(1700000000000L)))));
    }

    static ApiMessage listOffsetsResponse(int v) {
        return new ListOffsetsResponseData().setThrottleTimeMs(0)
            .setTopics(List.of(new ListOffsetsResponseData.ListOffsetsTopicResponse().setName("orders").setPartitions(
                List.of(new ListOffsetsResponseData.ListOffsetsPartitionResponse().setPartitionIndex(1)
                    .setErrorCode((short) 0).setTimestamp(1700000000001L).setOffset(42).setLeaderEpoch(6),
                    new ListOffsetsResponseData.ListOffsetsPartitionResponse().setPartitionIndex(2)
                        .setErrorCode((short) 78)))));
    }

    static ApiMessage initProducerIdRequest(int v) {
        InitProducerIdRequestData data = new InitProducerIdRequestData()
            .setTransactionalId(v < 2 ? null : "tx").setTransactionTimeoutMs(60000);
        return v < 3 ? data : data.setProducerId(4000).setProducerEpoch((short) 5);
    }

    static ApiMessage initProducerIdResponse(int v) {
        return new InitProducerIdResponseData()
            .setThrottleTimeMs(2).setErrorCode((short) 51).setProducerId(4000).setProducerEpoch((short) 6);
    }

    static ApiMessage createTopicsRequest(int v) {
        CreateTopicsRequestData.CreatableTopic topic = new CreateTopicsRequestData.CreatableTopic()
            .setName("orders").setNumPartitions(-1).setReplicationFactor((short) -1);
        topic.assignments().add(new CreateTopicsRequestData.CreatableReplicaAssignment()
            .setPartitionIndex(0).setBrokerIds(List.of(1, 2, 3)));
        topic.configs().add(new CreateTopicsRequestData.CreatableTopicConfig().setName("a").setValue("b"));
        topic.configs().add(new CreateTopicsRequestData.CreatableTopicConfig().setName("c").setValue(null));
        CreateTopicsRequestData data = new CreateTopicsRequestData().setTimeoutMs(1234).setValidateOnly(true);
        data.topics().add(topic);
        return data;
    }

    static ApiMessage createTopicsResponse(int v) {
        CreateTopicsResponseData.CreatableTopicResult made = new CreateTopicsResponseData.CreatableTopicResult()
            .setName("orders").setErrorMessage(null);
        if (v >= 5) {
            made.setTopicId(ID).setNumPartitions(6).setReplicationFactor((short) 3).setConfigs(List.of(
                new CreateTopicsResponseData.CreatableTopicConfigs().setName("a").setValue(null).setReadOnly(true)
                    .setConfigSource((byte) 5).setIsSensitive(true)));
        }
        CreateTopicsResponseData.CreatableTopicResult failed = new CreateTopicsResponseData.CreatableTopicResult()
            .setName("bad").setErrorCode((short) 17).setErrorMessage("not a name");
        if (v >= 5) failed.setTopicConfigErrorCode((short) 29).setConfigs(null);
        CreateTopicsResponseData data = new CreateTopicsResponseData().setThrottleTimeMs(0);
        data.topics().add(made);
        data.topics().add(failed);
        return data;
    }
}
