//! The hybrid tables, as a new installation has them.

use super::ownership::COMMENT;

/// A table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    /// Its name.
    pub(super) name: &'static str,
    /// Columns, keys and indexes.
    pub(super) definition: &'static str,
    /// Columns that it has in every version, and that no other tool's table of this name has together.
    pub(super) marks: &'static [&'static str],
}

impl Table {
    /// The statement that creates it where it is not there. A collation that the account, the database or the schema gives
    /// to new tables must not reach it: it is refused on indexed columns (391464), and would let other text compare equal
    /// (documentation: "CREATE HYBRID TABLE", collations).
    pub(super) fn create(&self, s: &str) -> String {
        format!(
            "CREATE HYBRID TABLE IF NOT EXISTS {s}.{} ({}) DEFAULT_DDL_COLLATION = '' COMMENT = '{COMMENT}'",
            self.quoted(),
            self.definition
        )
    }

    fn quoted(&self) -> String {
        // The only name that SQL reserves.
        match self.name {
            "PARTITION" => "\"PARTITION\"".to_owned(),
            name => name.to_owned(),
        }
    }
}

/// What must exist before the version can be read.
pub(super) const SCHEMA_VERSION: Table = Table {
    name: "SCHEMA_VERSION",
    definition: "VERSION NUMBER(10,0) NOT NULL, APPLIED_AT TIMESTAMP_NTZ DEFAULT SYSDATE(), PRIMARY KEY (VERSION)",
    marks: &["VERSION", "APPLIED_AT"],
};

/// All other tables.
pub(super) const TABLES: [Table; 11] = [
    WORKFLOW,
    TABLE_STATE,
    PARTITION,
    TASK_QUEUE,
    WORKER,
    RATE_LIMIT,
    WARNING,
    SYNCHRONIZATION,
    SYNC_PARTITION,
    WORKFLOW_REQUEST,
    TABLE_REQUEST,
];

const WORKFLOW: Table = Table {
    name: "WORKFLOW",
    definition: "WORKFLOW_ID NUMBER(19,0) NOT NULL AUTOINCREMENT, NAME VARCHAR(256) NOT NULL, SOURCE_PLATFORM VARCHAR(32) NOT NULL, \
        AFFINITY VARCHAR(256), CONFIGURATION VARCHAR, STATUS VARCHAR(16) NOT NULL, CREATION_TOKEN VARCHAR(64) NOT NULL, OWNER VARCHAR(256), \
        OWNER_EPOCH NUMBER(19,0) NOT NULL DEFAULT 0, OWNER_TOKEN VARCHAR(64), LEASE_UNTIL TIMESTAMP_NTZ, \
        CREATED_AT TIMESTAMP_NTZ DEFAULT SYSDATE(), STARTED_AT TIMESTAMP_NTZ, ENDED_AT TIMESTAMP_NTZ, ERROR VARCHAR, \
        PRIMARY KEY (WORKFLOW_ID), UNIQUE (NAME), INDEX IX_WORKFLOW_STATUS (STATUS), INDEX IX_WORKFLOW_TOKEN (OWNER_TOKEN)",
    marks: &["CREATION_TOKEN", "OWNER_EPOCH"],
};

/// `LOAD_FAILURES`: loads that failed in a row for passing reasons, since the last one that committed. `LOAD_PERMIT`: the owner's epoch, while
/// limits are set and it loads.
const TABLE_STATE: Table = Table {
    name: "TABLE_STATE",
    definition: "WORKFLOW_ID NUMBER(19,0) NOT NULL, TABLE_NO NUMBER(10,0) NOT NULL, OWNER_EPOCH NUMBER(19,0) NOT NULL DEFAULT 0, \
        PHASE VARCHAR(16) NOT NULL, SOURCE_TABLE VARCHAR NOT NULL, TARGET_TABLE VARCHAR NOT NULL, SPEC VARCHAR NOT NULL, EXTRACTION VARCHAR, \
        NUM_PARTITIONS NUMBER(10,0) NOT NULL DEFAULT 0, ROW_ESTIMATE NUMBER(19,0), BYTE_ESTIMATE NUMBER(19,0), \
        LOAD_SEQ NUMBER(19,0) NOT NULL DEFAULT 0, STARTED_AT TIMESTAMP_NTZ, ENDED_AT TIMESTAMP_NTZ, ERROR VARCHAR, \
        LOAD_FAILURES NUMBER(10,0), LOAD_NOT_BEFORE TIMESTAMP_NTZ, LOAD_ERROR VARCHAR, LOAD_PERMIT NUMBER(19,0), \
        PRIMARY KEY (WORKFLOW_ID, TABLE_NO)",
    marks: &["TABLE_NO", "SPEC"],
};

const PARTITION: Table = Table {
    name: "PARTITION",
    definition: "WORKFLOW_ID NUMBER(19,0) NOT NULL, TABLE_NO NUMBER(10,0) NOT NULL, PARTITION_NO NUMBER(10,0) NOT NULL, PHASE VARCHAR(16) NOT NULL, \
        KEY_RANGE VARCHAR NOT NULL, ATTEMPT NUMBER(10,0), MANIFEST VARCHAR, ROWS_STAGED NUMBER(19,0), BYTES NUMBER(19,0), \
        ROWS_LOADED NUMBER(19,0), STAGED_AT TIMESTAMP_NTZ, LOADED_AT TIMESTAMP_NTZ, FAILED_AT TIMESTAMP_NTZ, ERROR VARCHAR, \
        PRIMARY KEY (WORKFLOW_ID, TABLE_NO, PARTITION_NO), INDEX IX_PARTITION_PHASE (WORKFLOW_ID, TABLE_NO, PHASE)",
    marks: &["PARTITION_NO", "KEY_RANGE"],
};

/// `POSTPONED`: of a task whose source is away; claims that were handed back count as attempts, but not as these.
const TASK_QUEUE: Table = Table {
    name: "TASK_QUEUE",
    definition: "TASK_ID VARCHAR(128) NOT NULL, WORKFLOW_ID NUMBER(19,0) NOT NULL, TABLE_NO NUMBER(10,0) NOT NULL, PARTITION_NO NUMBER(10,0), \
        KIND VARCHAR(16) NOT NULL, SOURCE_PLATFORM VARCHAR(32) NOT NULL, AFFINITY VARCHAR(256), PRIORITY NUMBER(10,0) NOT NULL DEFAULT 0, \
        STATUS VARCHAR(16) NOT NULL, NOT_BEFORE TIMESTAMP_NTZ, ATTEMPT NUMBER(10,0) NOT NULL DEFAULT 0, \
        FAILURES NUMBER(10,0) NOT NULL DEFAULT 0, WORKER_ID VARCHAR(256), CLAIM_TOKEN VARCHAR(64), LEASE_UNTIL TIMESTAMP_NTZ, \
        KEY_RANGE VARCHAR, ROWS_DONE NUMBER(19,0) NOT NULL DEFAULT 0, BYTES_DONE NUMBER(19,0) NOT NULL DEFAULT 0, RESULT VARCHAR, \
        ERROR VARCHAR, CREATED_AT TIMESTAMP_NTZ DEFAULT SYSDATE(), CLAIMED_AT TIMESTAMP_NTZ, ENDED_AT TIMESTAMP_NTZ, \
        COLLECTED_AT TIMESTAMP_NTZ, POSTPONED NUMBER(10,0), PRIMARY KEY (TASK_ID), INDEX IX_TASK_CLAIM (STATUS, PRIORITY, TASK_ID), \
        INDEX IX_TASK_TOKEN (CLAIM_TOKEN), INDEX IX_TASK_WORKFLOW (WORKFLOW_ID, STATUS)",
    marks: &["CLAIM_TOKEN", "KEY_RANGE"],
};

const WORKER: Table = Table {
    name: "WORKER",
    definition: "WORKER_ID VARCHAR(256) NOT NULL, AFFINITY VARCHAR(256), VERSION VARCHAR(64), RUNNING NUMBER(10,0), CAPACITY NUMBER(10,0), \
        ROWS_PER_SECOND FLOAT, STARTED_AT TIMESTAMP_NTZ DEFAULT SYSDATE(), LAST_SEEN TIMESTAMP_NTZ DEFAULT SYSDATE(), \
        PRIMARY KEY (WORKER_ID)",
    marks: &["WORKER_ID", "LAST_SEEN"],
};

/// Who checks locks its rows: `NUM_CHECKS` counts.
const RATE_LIMIT: Table = Table {
    name: "RATE_LIMIT",
    definition: "RATE_LIMIT_ID NUMBER(19,0) NOT NULL AUTOINCREMENT, SCOPE_PATTERN VARCHAR NOT NULL, WORKFLOW_ID NUMBER(19,0), AFFINITY VARCHAR(256), \
        TARGET_CONCURRENT_TASKS NUMBER(10,0) NOT NULL, ENABLED BOOLEAN DEFAULT TRUE, NUM_CHECKS NUMBER(19,0) DEFAULT 0, \
        PRIMARY KEY (RATE_LIMIT_ID)",
    marks: &["RATE_LIMIT_ID", "AFFINITY"],
};

const WARNING: Table = Table {
    name: "WARNING",
    definition: "WORKFLOW_ID NUMBER(19,0) NOT NULL, TABLE_NO NUMBER(10,0) NOT NULL, WARNING_NO NUMBER(10,0) NOT NULL, WARNING VARCHAR NOT NULL, \
        OCCURRED_AT TIMESTAMP_NTZ DEFAULT SYSDATE(), PRIMARY KEY (WORKFLOW_ID, TABLE_NO, WARNING_NO)",
    marks: &["WARNING_NO", "OCCURRED_AT"],
};

pub(super) const SYNCHRONIZATION: Table = Table {
    name: "SYNCHRONIZATION",
    definition: "SYNC_KEY VARCHAR(64) NOT NULL, SOURCE_TABLE VARCHAR NOT NULL, TARGET_TABLE VARCHAR NOT NULL, WORKFLOW_ID NUMBER(19,0) NOT NULL, \
        TABLE_NO NUMBER(10,0) NOT NULL, SETTINGS VARCHAR, UPDATED_AT TIMESTAMP_NTZ DEFAULT SYSDATE(), PRIMARY KEY (SYNC_KEY), \
        INDEX IX_SYNCHRONIZATION_WORKFLOW (WORKFLOW_ID, TABLE_NO)",
    marks: &["SYNC_KEY", "SETTINGS"],
};

pub(super) const SYNC_PARTITION: Table = Table {
    name: "SYNC_PARTITION",
    definition: "SYNC_KEY VARCHAR(64) NOT NULL, PARTITION_NO NUMBER(10,0) NOT NULL, KEY_RANGE VARCHAR NOT NULL, CHECKSUM VARCHAR, WATERMARK VARCHAR, \
        UPDATED_AT TIMESTAMP_NTZ DEFAULT SYSDATE(), PRIMARY KEY (SYNC_KEY, PARTITION_NO)",
    marks: &["SYNC_KEY", "KEY_RANGE"],
};

/// Rows of their own: a load holds the lock of its table's row for as long as it takes, and nobody who pauses waits for it.
pub(super) const WORKFLOW_REQUEST: Table = Table {
    name: "WORKFLOW_REQUEST",
    definition: "WORKFLOW_ID NUMBER(19,0) NOT NULL, REQUEST VARCHAR(16), REQUEST_SEQ NUMBER(19,0) NOT NULL DEFAULT 0, REQUESTED_AT TIMESTAMP_NTZ, \
        PRIMARY KEY (WORKFLOW_ID)",
    marks: &["REQUEST_SEQ", "REQUESTED_AT"],
};

pub(super) const TABLE_REQUEST: Table = Table {
    name: "TABLE_REQUEST",
    definition: "WORKFLOW_ID NUMBER(19,0) NOT NULL, TABLE_NO NUMBER(10,0) NOT NULL, REQUEST VARCHAR(16) NOT NULL, \
        REQUESTED_AT TIMESTAMP_NTZ DEFAULT SYSDATE(), PRIMARY KEY (WORKFLOW_ID, TABLE_NO)",
    marks: &["TABLE_NO", "REQUESTED_AT"],
};
