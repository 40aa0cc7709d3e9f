//! Responses: any bytes, as the answer of any API in any version.

use alloc::vec::Vec;
use core::hint::black_box;

use crate::wire::{Api, Decode, Reader, WireError, decode_body, *};

type Walk = fn(&[u8], i16) -> Result<(), WireError>;

macro_rules! responses {
    ($($response:ty,)*) => {
        const RESPONSES: &[(Api, Walk)] =
            &[$((<$response as Decode<'_>>::API, |bytes, version| walk::<$response>(bytes, version))),*];
    };
}

responses! {
    add_offsets_to_txn_response::AddOffsetsToTxnResponse,
    add_partitions_to_txn_response::AddPartitionsToTxnResponse<'_>,
    add_raft_voter_response::AddRaftVoterResponse<'_>,
    alter_client_quotas_response::AlterClientQuotasResponse<'_>,
    alter_configs_response::AlterConfigsResponse<'_>,
    alter_partition_reassignments_response::AlterPartitionReassignmentsResponse<'_>,
    alter_replica_log_dirs_response::AlterReplicaLogDirsResponse<'_>,
    alter_share_group_offsets_response::AlterShareGroupOffsetsResponse<'_>,
    alter_user_scram_credentials_response::AlterUserScramCredentialsResponse<'_>,
    api_versions_response::ApiVersionsResponse<'_>,
    consumer_group_describe_response::ConsumerGroupDescribeResponse<'_>,
    consumer_group_heartbeat_response::ConsumerGroupHeartbeatResponse<'_>,
    create_acls_response::CreateAclsResponse<'_>,
    create_delegation_token_response::CreateDelegationTokenResponse<'_>,
    create_partitions_response::CreatePartitionsResponse<'_>,
    create_topics_response::CreateTopicsResponse<'_>,
    delete_acls_response::DeleteAclsResponse<'_>,
    delete_groups_response::DeleteGroupsResponse<'_>,
    delete_records_response::DeleteRecordsResponse<'_>,
    delete_share_group_offsets_response::DeleteShareGroupOffsetsResponse<'_>,
    delete_topics_response::DeleteTopicsResponse<'_>,
    describe_acls_response::DescribeAclsResponse<'_>,
    describe_client_quotas_response::DescribeClientQuotasResponse<'_>,
    describe_cluster_response::DescribeClusterResponse<'_>,
    describe_configs_response::DescribeConfigsResponse<'_>,
    describe_delegation_token_response::DescribeDelegationTokenResponse<'_>,
    describe_groups_response::DescribeGroupsResponse<'_>,
    describe_log_dirs_response::DescribeLogDirsResponse<'_>,
    describe_producers_response::DescribeProducersResponse<'_>,
    describe_quorum_response::DescribeQuorumResponse<'_>,
    describe_share_group_offsets_response::DescribeShareGroupOffsetsResponse<'_>,
    describe_topic_partitions_response::DescribeTopicPartitionsResponse<'_>,
    describe_transactions_response::DescribeTransactionsResponse<'_>,
    describe_user_scram_credentials_response::DescribeUserScramCredentialsResponse<'_>,
    elect_leaders_response::ElectLeadersResponse<'_>,
    end_txn_response::EndTxnResponse,
    expire_delegation_token_response::ExpireDelegationTokenResponse,
    fetch_response::FetchResponse<'_>,
    find_coordinator_response::FindCoordinatorResponse<'_>,
    get_telemetry_subscriptions_response::GetTelemetrySubscriptionsResponse<'_>,
    heartbeat_response::HeartbeatResponse,
    incremental_alter_configs_response::IncrementalAlterConfigsResponse<'_>,
    init_producer_id_response::InitProducerIdResponse,
    join_group_response::JoinGroupResponse<'_>,
    leave_group_response::LeaveGroupResponse<'_>,
    list_config_resources_response::ListConfigResourcesResponse<'_>,
    list_groups_response::ListGroupsResponse<'_>,
    list_offsets_response::ListOffsetsResponse<'_>,
    list_partition_reassignments_response::ListPartitionReassignmentsResponse<'_>,
    list_transactions_response::ListTransactionsResponse<'_>,
    metadata_response::MetadataResponse<'_>,
    offset_commit_response::OffsetCommitResponse<'_>,
    offset_delete_response::OffsetDeleteResponse<'_>,
    offset_fetch_response::OffsetFetchResponse<'_>,
    offset_for_leader_epoch_response::OffsetForLeaderEpochResponse<'_>,
    produce_response::ProduceResponse<'_>,
    push_telemetry_response::PushTelemetryResponse,
    remove_raft_voter_response::RemoveRaftVoterResponse<'_>,
    renew_delegation_token_response::RenewDelegationTokenResponse,
    sasl_authenticate_response::SaslAuthenticateResponse<'_>,
    sasl_handshake_response::SaslHandshakeResponse<'_>,
    share_acknowledge_response::ShareAcknowledgeResponse<'_>,
    share_fetch_response::ShareFetchResponse<'_>,
    share_group_describe_response::ShareGroupDescribeResponse<'_>,
    share_group_heartbeat_response::ShareGroupHeartbeatResponse<'_>,
    streams_group_describe_response::StreamsGroupDescribeResponse<'_>,
    streams_group_heartbeat_response::StreamsGroupHeartbeatResponse<'_>,
    sync_group_response::SyncGroupResponse<'_>,
    txn_offset_commit_response::TxnOffsetCommitResponse<'_>,
    unregister_broker_response::UnregisterBrokerResponse<'_>,
    update_features_response::UpdateFeaturesResponse<'_>,
    write_txn_markers_response::WriteTxnMarkersResponse<'_>,
}

/// Reads a body, and then every element of every array in it once more, as an application would. Allocates nothing.
fn walk<'a, R: Decode<'a> + PartialEq>(bytes: &'a [u8], version: i16) -> Result<(), WireError> {
    let body: R = decode(bytes, version)?;
    // Comparing two iterates over both. They differ only where a float is no number.
    black_box(body == decode(bytes, version)?);
    Ok(())
}

// Not inlined, because the code of each is there once then: seventy of them cost the build enough.
#[inline(never)]
fn decode<'a, R: Decode<'a>>(bytes: &'a [u8], version: i16) -> Result<R, WireError> {
    decode_body(&mut Reader::new(bytes), version)
}

/// Reads all of a response's body.
///
/// # Errors
/// Those of [`decode_body`]; [`WireError::Unsupported`] for an API that there is not.
pub fn response(api: Api, version: i16, body: &[u8]) -> Result<(), WireError> {
    let found = RESPONSES.iter().find(|(of, _)| *of == api);
    let (_, walk) = found.ok_or(WireError::Unsupported { api: api.name, version })?;
    walk(body, version)
}

/// Every API that there is a response of, in the order in which `responses` counts them.
pub fn apis() -> Vec<Api> {
    RESPONSES.iter().map(|(api, _)| *api).collect()
}

/// The first byte chooses an API, the second its version, the rest is the body.
pub fn responses(data: &[u8]) {
    let [api, version, body @ ..] = data else { return };
    let (api, walk) = RESPONSES[usize::from(*api) % RESPONSES.len()];
    let versions = api.max_unstable - api.min + 1;
    black_box(walk(body, api.min + i16::from(*version) % versions).is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_api_is_left_out() {
        let mut ours = apis();
        ours.sort_by_key(|api| api.key);
        assert_eq!(ours, api::ALL);
    }
}
