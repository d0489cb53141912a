//! What an orchestrator reads, row by row.

use super::cells::{Cells, corrupt, parse_kind, parse_platform};
use super::contract::*;
use super::requests::request;
use crate::domain::phase::{PartitionPhase, TablePhase, WorkflowPhase};
use crate::domain::{Attempt, OwnerEpoch, PartitionNo, TableNo, WorkflowId};
use crate::snowflake::Row;

/// Id, epoch, name, platform, affinity, status, request, its number.
pub(super) fn owned_workflow(row: &Row) -> Result<OwnedWorkflow, CheckpointError> {
    let mut c = Cells(row, 0);
    let (id, epoch, name) = (WorkflowId(c.number()?), OwnerEpoch(c.number()?), c.text()?);
    let (platform, affinity, status) = (parse_platform(&c.text()?)?, c.text_opt(), c.text()?);
    let phase =
        WorkflowPhase::parse(&status).ok_or_else(|| corrupt("a workflow's status", &status))?;
    Ok(OwnedWorkflow {
        id,
        epoch,
        name,
        platform,
        affinity,
        phase,
        request: request(c.text_opt())?,
        request_seq: c.number()?,
    })
}

/// Number, phase, specification, extraction, number of partitions, request.
pub(super) fn table_state(row: &Row) -> Result<TableState, CheckpointError> {
    let mut c = Cells(row, 0);
    let (table_no, phase) = (TableNo(c.number()?), c.text()?);
    let phase = TablePhase::parse(&phase).ok_or_else(|| corrupt("a table's phase", &phase))?;
    Ok(TableState {
        table_no,
        phase,
        spec: c.json()?,
        plan: c.json_opt()?,
        num_partitions: c.number()?,
        request: request(c.text_opt())?,
    })
}

/// Number, phase, slice, attempt, manifest.
pub(super) fn partition_state(row: &Row) -> Result<PartitionState, CheckpointError> {
    let mut c = Cells(row, 0);
    let partition_no = PartitionNo(c.number()?);
    let phase = c.text()?;
    Ok(PartitionState {
        partition_no,
        phase: partition_phase(&phase)?,
        slice: c.json()?,
        attempt: c.number_opt().map(Attempt),
        manifest: c.json_opt()?,
    })
}

/// Phase, number of partitions.
pub(super) fn phase_count(row: &Row) -> Result<(PartitionPhase, u64), CheckpointError> {
    let mut c = Cells(row, 0);
    let phase = partition_phase(&c.text()?)?;
    Ok((phase, c.number()?))
}

fn partition_phase(text: &str) -> Result<PartitionPhase, CheckpointError> {
    PartitionPhase::parse(text).ok_or_else(|| corrupt("a partition's phase", text))
}

/// Key, kind, workflow, table, partition, attempt, status, result, error.
pub(super) fn ended_task(row: &Row) -> Result<EndedTask, CheckpointError> {
    let mut c = Cells(row, 0);
    let (task_id, kind, workflow_id, table_no) = (
        c.text()?,
        parse_kind(&c.text()?)?,
        WorkflowId(c.number()?),
        TableNo(c.number()?),
    );
    let (partition_no, attempt, status) = (
        c.number_opt().map(PartitionNo),
        Attempt(c.number()?),
        c.text()?,
    );
    let (result, error) = (c.text_opt(), c.text_opt());
    let result = if status == "COMPLETED" {
        Ok(result.unwrap_or_default())
    } else {
        Err(error.unwrap_or_default())
    };
    Ok(EndedTask {
        task_id,
        kind,
        workflow_id,
        table_no,
        partition_no,
        attempt,
        result,
    })
}
