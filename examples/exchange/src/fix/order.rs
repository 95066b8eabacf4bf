//! Between FIX and the engine: order messages in, execution reports out; PURE.

use super::message::{Draft, Message};
use super::reject::{Fault, Reason};
use super::timestamp::{Timestamp, is_timestamp};
use super::{Now, tag};
use crate::command::{CancelRequest, Command, NewOrder};
use crate::decimal::{DecimalError, Price, average, parse_quantity};
use crate::event::{Event, News, OrderView, Refusal};
use crate::order::{Kind, SessionId, Side};

/// Longest ClOrdID; it is kept with the order.
pub const CLIENT_ID_MAX: usize = 64;
/// Longest symbol; it is kept for good.
pub const SYMBOL_MAX: usize = 32;

/// OrdRejReason: unknown symbol.
const REJECT_UNKNOWN_SYMBOL: u32 = 1;
/// OrdRejReason: order exceeds limit.
const REJECT_LIMIT: u32 = 3;
/// OrdRejReason: duplicate order.
const REJECT_DUPLICATE: u32 = 6;
/// OrdRejReason: unsupported order characteristic.
const REJECT_UNSUPPORTED: u32 = 11;
/// OrdRejReason: incorrect quantity.
const REJECT_QUANTITY: u32 = 13;
/// OrdRejReason: other, see Text.
const REJECT_OTHER: u32 = 99;

/// Why an order message does not reach the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The message breaks the protocol: answer with Reject.
    Fault(Fault),
    /// The message is sound but the order is not acceptable: answer with a rejecting ExecutionReport.
    Unacceptable {
        /// OrdRejReason.
        code: u32,
        /// The label of metrics.
        label: &'static str,
        /// For a person.
        text: String,
    },
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Labels of [`Problem::Unacceptable`], for the metrics.
pub const UNACCEPTABLE: [&str; 6] = [
    "price_negative",
    "price_zero",
    "price_off_tick",
    "price_too_large",
    "quantity",
    "unsupported",
];

/// Reads a NewOrderSingle (D) or an OrderCancelRequest (F).
///
/// # Errors
///
/// When a field is missing, malformed, out of range or asks for what this exchange does not do.
pub fn read(message: &Message, owner: SessionId) -> Result<Command, Problem> {
    match message.kind() {
        b"D" => new_order(message, owner).map(Command::New),
        _ => cancel_request(message, owner).map(Command::Cancel),
    }
}

fn new_order(message: &Message, owner: SessionId) -> Result<NewOrder, Problem> {
    // Everything that must be there is looked at first: a missing field is the protocol's business, a bad price the market's.
    let client_id = name(message, tag::CL_ORD_ID, CLIENT_ID_MAX)?;
    let symbol = name(message, tag::SYMBOL, SYMBOL_MAX)?;
    let side = message.require(tag::SIDE)?;
    check_transact_time(message)?;
    let quantity = message.require(tag::ORDER_QTY)?;
    let kind = message.require(tag::ORD_TYPE)?;
    Ok(NewOrder {
        owner,
        client_id: client_id.into(),
        symbol: symbol.into(),
        side: read_side(side)?,
        kind: read_kind(message, kind)?,
        quantity: parse_quantity(quantity)
            .map_err(|error| number_problem(error, tag::ORDER_QTY))?,
    })
}

fn cancel_request(message: &Message, owner: SessionId) -> Result<CancelRequest, Problem> {
    let client_id = name(message, tag::CL_ORD_ID, CLIENT_ID_MAX)?;
    let target = name(message, tag::ORIG_CL_ORD_ID, CLIENT_ID_MAX)?;
    let symbol = name(message, tag::SYMBOL, SYMBOL_MAX)?;
    let side = message.require(tag::SIDE)?;
    check_transact_time(message)?;
    Ok(CancelRequest {
        owner,
        client_id: client_id.into(),
        target: target.into(),
        symbol: symbol.into(),
        side: read_side(side)
            .map_err(|_| value_incorrect(tag::SIDE, "expected 1 (buy) or 2 (sell)"))?,
    })
}

fn name(message: &Message, tag: u32, max: usize) -> Result<&str, Fault> {
    let bytes = message.require(tag)?;
    if bytes.len() > max {
        return Err(value_incorrect(
            tag,
            format!("longer than {max} characters"),
        ));
    }
    let printable = bytes.iter().all(|byte| (b' '..=b'~').contains(byte));
    match std::str::from_utf8(bytes) {
        Ok(text) if printable => Ok(text),
        _ => Err(Fault::new(
            Reason::IncorrectDataFormat,
            tag,
            "expected printable ASCII",
        )),
    }
}

fn check_transact_time(message: &Message) -> Result<(), Fault> {
    if is_timestamp(message.require(tag::TRANSACT_TIME)?) {
        return Ok(());
    }
    Err(Fault::new(
        Reason::IncorrectDataFormat,
        tag::TRANSACT_TIME,
        "expected YYYYMMDD-HH:MM:SS[.sss]",
    ))
}

fn read_side(side: &[u8]) -> Result<Side, Problem> {
    match side {
        b"1" => Ok(Side::Buy),
        b"2" => Ok(Side::Sell),
        [b'3'..=b'9' | b'A'..=b'G'] => Err(unsupported("side, expected 1 (buy) or 2 (sell)")),
        _ => Err(value_incorrect(tag::SIDE, "no side of FIX 4.4").into()),
    }
}

fn read_kind(message: &Message, kind: &[u8]) -> Result<Kind, Problem> {
    let immediate = match message.get(tag::TIME_IN_FORCE) {
        None | Some(b"0" | b"1") => false,
        Some(b"3") => true,
        Some([b'2' | b'4'..=b'7']) => {
            return Err(unsupported(
                "TimeInForce, expected 0 (day), 1 (GTC) or 3 (IOC)",
            ));
        }
        Some(_) => {
            return Err(value_incorrect(tag::TIME_IN_FORCE, "no TimeInForce of FIX 4.4").into());
        }
    };
    match kind {
        b"1" => Ok(Kind::Market),
        b"2" => {
            let price = Price::parse(message.require(tag::PRICE)?)
                .map_err(|error| number_problem(error, tag::PRICE))?;
            Ok(if immediate {
                Kind::ImmediateOrCancel(price)
            } else {
                Kind::Limit(price)
            })
        }
        [b'3'..=b'9' | b'A'..=b'P'] => {
            Err(unsupported("OrdType, expected 1 (market) or 2 (limit)"))
        }
        _ => Err(value_incorrect(tag::ORD_TYPE, "no OrdType of FIX 4.4").into()),
    }
}

fn value_incorrect(tag: u32, text: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::new(Reason::ValueIncorrect, tag, text)
}

fn unsupported(what: &str) -> Problem {
    Problem::Unacceptable {
        code: REJECT_UNSUPPORTED,
        label: "unsupported",
        text: format!("unsupported {what}"),
    }
}

fn number_problem(error: DecimalError, tag: u32) -> Problem {
    let label = match (error, tag) {
        (DecimalError::Malformed, _) => {
            return Fault::new(Reason::IncorrectDataFormat, tag, error.to_string()).into();
        }
        (_, tag::ORDER_QTY) => "quantity",
        (DecimalError::Negative, _) => "price_negative",
        (DecimalError::Zero, _) => "price_zero",
        (DecimalError::OffTick, _) => "price_off_tick",
        (DecimalError::TooLarge, _) => "price_too_large",
    };
    let (code, field) = match (error, tag) {
        (_, tag::ORDER_QTY) => (REJECT_QUANTITY, "OrderQty"),
        (DecimalError::TooLarge, _) => (REJECT_LIMIT, "Price"),
        _ => (REJECT_OTHER, "Price"),
    };
    Problem::Unacceptable {
        code,
        label,
        text: format!("{field} is {error}"),
    }
}

/// The ExecutionReport for an order that did not reach the engine; `number` makes its ExecID unique in the session.
#[must_use]
pub fn refuse(
    message: &Message,
    code: u32,
    text: &str,
    owner: SessionId,
    number: u64,
    now: Now,
) -> Draft {
    let copy = |tag| String::from_utf8_lossy(message.get(tag).unwrap_or_default());
    Draft::new("8")
        .with(tag::AVG_PX, 0)
        .with(tag::CL_ORD_ID, copy(tag::CL_ORD_ID))
        .with(tag::CUM_QTY, 0)
        .with(tag::EXEC_ID, format_args!("R{}-{number}", owner.0))
        .with(tag::ORDER_ID, "NONE")
        .with(tag::ORD_STATUS, 8)
        .with(tag::SIDE, copy(tag::SIDE))
        .with(tag::SYMBOL, copy(tag::SYMBOL))
        .with(tag::TEXT, text)
        .with(tag::TRANSACT_TIME, Timestamp(now.unix_millis))
        .with(tag::ORD_REJ_REASON, code)
        .with(tag::EXEC_TYPE, 8)
        .with(tag::LEAVES_QTY, 0)
}

/// The message that tells an order's owner the news.
#[must_use]
pub fn report(event: &Event, now: Now) -> Draft {
    let number = event.number;
    match &event.news {
        News::Accepted(order) => execution(order, number, "0", "0", order.left(), now),
        News::Refused(order, refusal) => execution(order, number, "8", "8", 0, now)
            .with(tag::TEXT, refusal)
            .with(tag::ORD_REJ_REASON, refusal_code(*refusal)),
        News::Traded {
            order,
            price,
            quantity,
        } => {
            let status = if order.left() == 0 { "2" } else { "1" };
            execution(order, number, "F", status, order.left(), now)
                .with(tag::LAST_PX, price)
                .with(tag::LAST_QTY, quantity)
        }
        News::Cancelled {
            order,
            request: None,
        } => execution(order, number, "4", "4", 0, now)
            .with(tag::TEXT, "the rest found nobody to trade with"),
        News::Cancelled {
            order,
            request: Some(request),
        } => {
            let named = OrderView {
                client_id: request.clone(),
                ..order.clone()
            };
            execution(&named, number, "4", "4", 0, now).with(tag::ORIG_CL_ORD_ID, &order.client_id)
        }
        News::CancelRefused { request, target } => Draft::new("9")
            .with(tag::CL_ORD_ID, request)
            .with(tag::ORDER_ID, "NONE")
            .with(tag::ORD_STATUS, 8)
            .with(tag::ORIG_CL_ORD_ID, target)
            .with(
                tag::TEXT,
                "no live order of this session has this OrigClOrdID, symbol and side",
            )
            .with(tag::TRANSACT_TIME, Timestamp(now.unix_millis))
            .with(tag::CXL_REJ_REASON, 1)
            .with(tag::CXL_REJ_RESPONSE_TO, 1),
    }
}

fn execution(
    order: &OrderView,
    number: u64,
    exec_type: &str,
    status: &str,
    leaves: u64,
    now: Now,
) -> Draft {
    let side = match order.side {
        Side::Buy => 1,
        Side::Sell => 2,
    };
    let (kind, force) = match order.kind {
        Kind::Market => (1, 0),
        Kind::Limit(_) => (2, 0),
        Kind::ImmediateOrCancel(_) => (2, 3),
    };
    Draft::new("8")
        .with(tag::AVG_PX, average(order.notional, order.filled))
        .with(tag::CL_ORD_ID, &order.client_id)
        .with(tag::CUM_QTY, order.filled)
        .with(tag::EXEC_ID, number)
        .with(tag::ORDER_ID, order.id.0)
        .with(tag::ORDER_QTY, order.quantity)
        .with(tag::ORD_STATUS, status)
        .with(tag::ORD_TYPE, kind)
        .maybe(tag::PRICE, order.kind.limit())
        .with(tag::SIDE, side)
        .with(tag::SYMBOL, &order.symbol)
        .with(tag::TIME_IN_FORCE, force)
        .with(tag::TRANSACT_TIME, Timestamp(now.unix_millis))
        .with(tag::EXEC_TYPE, exec_type)
        .with(tag::LEAVES_QTY, leaves)
}

const fn refusal_code(refusal: Refusal) -> u32 {
    match refusal {
        Refusal::UnknownSymbol => REJECT_UNKNOWN_SYMBOL,
        Refusal::Duplicate => REJECT_DUPLICATE,
        Refusal::TooManyOrders | Refusal::BookFull => REJECT_LIMIT,
    }
}

#[cfg(test)]
mod tests;
