//! Tables over order messages and execution reports.

use std::time::Instant;

use bytes::Bytes;

use super::super::frame::Frame;
use super::*;
use crate::order::OrderId;

const SOUND: &str = "35=D|11=a|55=X|54=1|60=20261123-10:00:00|38=5|40=2|44=1.5|";

fn message(body: &str) -> Message {
    let body = Bytes::from(body.replace('|', "\u{1}").into_bytes());
    let begin = Bytes::from_static(b"FIX.4.4");
    Message::parse(Frame { begin, body }).unwrap()
}

/// The outcome in a word: the order, a protocol fault or a refusal.
fn outcome(body: &str) -> String {
    match read(&message(body), SessionId(1)) {
        Ok(Command::New(order)) => {
            let price = order.kind.limit().map_or(0, Price::ticks);
            let (kind, side) = (order.kind.label(), order.side.label());
            format!("{side} {} {kind} {price}", order.quantity)
        }
        Ok(Command::Cancel(request)) => {
            format!("cancel {} by {}", request.target, request.client_id)
        }
        Ok(Command::Forget(_)) => "forget".to_owned(),
        Err(Problem::Fault(fault)) => format!("fault {} tag {}", fault.reason.code(), fault.tag),
        Err(Problem::Unacceptable { code, label, .. }) => format!("refused {code} {label}"),
    }
}

/// One field of a sound order is changed or taken away.
#[test]
fn new_orders() {
    let table = [
        ("", "", "buy 5 limit 15000"),
        ("54=1|", "54=2|", "sell 5 limit 15000"),
        ("40=2|44=1.5|", "40=1|", "buy 5 market 0"),
        ("40=2|44=1.5|", "40=1|44=-7|", "buy 5 market 0"),
        ("44=1.5|", "44=1.5|59=0|", "buy 5 limit 15000"),
        ("44=1.5|", "44=1.5|59=1|", "buy 5 limit 15000"),
        ("44=1.5|", "44=1.5|59=3|", "buy 5 ioc 15000"),
        ("44=1.5|", "44=1.5|59=4|", "refused 11 unsupported"),
        ("44=1.5|", "44=1.5|59=x|", "fault 5 tag 59"),
        ("11=a|", "", "fault 1 tag 11"),
        ("55=X|", "", "fault 1 tag 55"),
        ("54=1|", "", "fault 1 tag 54"),
        ("60=20261123-10:00:00|", "", "fault 1 tag 60"),
        ("60=20261123-10:00:00|", "60=today|", "fault 6 tag 60"),
        ("38=5|", "", "fault 1 tag 38"),
        ("40=2|", "", "fault 1 tag 40"),
        ("44=1.5|", "", "fault 1 tag 44"),
        ("54=1|", "54=5|", "refused 11 unsupported"),
        ("54=1|", "54=x|", "fault 5 tag 54"),
        ("40=2|", "40=3|", "refused 11 unsupported"),
        ("40=2|", "40=22|", "fault 5 tag 40"),
        ("38=5|", "38=five|", "fault 6 tag 38"),
        ("38=5|", "38=0|", "refused 13 quantity"),
        ("38=5|", "38=-5|", "refused 13 quantity"),
        ("38=5|", "38=0.5|", "refused 13 quantity"),
        ("38=5|", "38=99999999999999999999|", "refused 13 quantity"),
        ("44=1.5|", "44=1.50001|", "refused 99 price_off_tick"),
        ("44=1.5|", "44=-1|", "refused 99 price_negative"),
        ("44=1.5|", "44=0|", "refused 99 price_zero"),
        (
            "44=1.5|",
            "44=999999999999999999999|",
            "refused 3 price_too_large",
        ),
        ("44=1.5|", "44=1e9|", "fault 6 tag 44"),
        (
            "55=X|",
            "55=XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX|",
            "fault 5 tag 55",
        ),
        ("11=a|", "11=\u{e9}|", "fault 6 tag 11"),
    ];
    for (field, instead, expected) in table {
        let body = SOUND.replacen(field, instead, 1);
        let body = if field.is_empty() { SOUND } else { &body };
        assert_eq!(outcome(body), expected, "{body}");
    }
}

/// A cancel names its order, its own name, symbol and side.
#[test]
fn cancels() {
    let sound = "35=F|11=b|41=a|55=X|54=1|60=20261123-10:00:00|";
    assert_eq!(outcome(sound), "cancel a by b");
    for (field, expected) in [
        ("11=b|", "fault 1 tag 11"),
        ("41=a|", "fault 1 tag 41"),
        ("55=X|", "fault 1 tag 55"),
        ("54=1|", "fault 1 tag 54"),
        ("60=20261123-10:00:00|", "fault 1 tag 60"),
    ] {
        assert_eq!(outcome(&sound.replace(field, "")), expected);
    }
    assert_eq!(outcome(&sound.replace("54=1", "54=5")), "fault 5 tag 54");
}

/// Reports carry what the standard asks for.
#[test]
fn reports() {
    let order = OrderView {
        id: OrderId(7),
        client_id: "a".into(),
        symbol: "X".into(),
        side: Side::Sell,
        kind: Kind::Limit(Price::from_ticks(15_000).unwrap()),
        quantity: 5,
        filled: 2,
        notional: 30_000,
    };
    let now = Now {
        instant: Instant::now(),
        unix_millis: 0,
    };
    let common = "38=5|39=S|40=2|44=1.5000|54=2|55=X|59=0|60=19700101-00:00:00.000|";
    let table = [
        (
            News::Traded {
                order: order.clone(),
                price: Price::from_ticks(15_000).unwrap(),
                quantity: 2,
            },
            format!(
                "6=1.5000|11=a|14=2|17=3|37=7|{}150=F|151=3|31=1.5000|32=2|",
                common.replace('S', "1")
            ),
        ),
        (
            News::Cancelled {
                order: order.clone(),
                request: Some("c".into()),
            },
            format!(
                "6=1.5000|11=c|14=2|17=3|37=7|{}150=4|151=0|41=a|",
                common.replace('S', "4")
            ),
        ),
        (
            News::Refused(order, Refusal::Duplicate),
            format!(
                "6=1.5000|11=a|14=2|17=3|37=7|{}150=8|151=0|58=ClOrdID names a live order of this session|103=6|",
                common.replace('S', "8")
            ),
        ),
    ];
    for (news, expected) in table {
        let event = Event {
            owner: SessionId(1),
            number: 3,
            news,
        };
        let fields = report(&event, now).fields().to_vec();
        let shown = String::from_utf8(fields).unwrap().replace('\u{1}', "|");
        assert_eq!(shown, expected);
    }
}
