//! Rules of form that hold for every message; PURE.

use super::message::Message;
use super::reject::{Fault, Reason};
use super::tag;
use super::timestamp::is_timestamp;

/// Fields that may stand once only in every message handled here.
const SINGLE: [u32; 17] = [
    tag::MSG_SEQ_NUM,
    tag::MSG_TYPE,
    tag::POSS_DUP_FLAG,
    tag::SENDER_COMP_ID,
    tag::SENDING_TIME,
    tag::TARGET_COMP_ID,
    tag::TEST_REQ_ID,
    tag::BEGIN_SEQ_NO,
    tag::END_SEQ_NO,
    tag::NEW_SEQ_NO,
    tag::CL_ORD_ID,
    tag::ORIG_CL_ORD_ID,
    tag::ORDER_QTY,
    tag::ORD_TYPE,
    tag::PRICE,
    tag::SIDE,
    tag::TIME_IN_FORCE,
];

/// What is wrong with fields that every message has.
pub(super) fn form_fault(message: &Message) -> Option<Fault> {
    if let Some(fault) = message.fault() {
        return Some(fault.clone());
    }
    if let Some(tag) = message.repeated(&SINGLE) {
        let text = "tag appears more than once";
        return Some(Fault::new(Reason::TagAppearsMoreThanOnce, tag, text));
    }
    match message.require(tag::SENDING_TIME) {
        Err(fault) => Some(fault),
        Ok(time) if !is_timestamp(time) => Some(Fault::new(
            Reason::IncorrectDataFormat,
            tag::SENDING_TIME,
            "expected YYYYMMDD-HH:MM:SS[.sss]",
        )),
        Ok(_) => None,
    }
}

/// Whether FIX 4.4 has a message of this type: one letter or digit, or AA to AZ and BA to BH.
pub(super) fn is_fix44(kind: &[u8]) -> bool {
    match kind {
        [one] => one.is_ascii_alphanumeric() && !matches!(one, b'I' | b'O'),
        [b'A', second] => second.is_ascii_uppercase(),
        [b'B', second] => (b'A'..=b'H').contains(second),
        _ => false,
    }
}
