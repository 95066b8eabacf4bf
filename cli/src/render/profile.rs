//! What a profile says in a few lines: the functions that were on the CPU most. PURE.

use std::collections::HashMap;
use std::path::Path;

use super::number::bytes;
use super::style::{STRONG, styled};
use super::table::{table, text as table_text};
use crate::args::ProfileFormat;

/// Functions shown; what comes after is rarely worth a change.
const HOTTEST_LEN: usize = 8;

/// Where the file is, how large, and what was hot where the format lets us tell.
pub(super) fn text(path: &Path, format: ProfileFormat, body: &[u8]) -> String {
    let len = u64::try_from(body.len()).unwrap_or(u64::MAX);
    let file = styled(STRONG, &format!("wrote {}", path.display()));
    let body = String::from_utf8_lossy(body);
    let hottest = match format {
        ProfileFormat::Pprof => {
            return format!(
                "{file}, {}; look at it with: go tool pprof -http=: {}",
                bytes(len),
                path.display()
            );
        }
        ProfileFormat::Folded => hottest_of_folded(&body),
        ProfileFormat::Svg => hottest_of_svg(&body),
    };
    if hottest.is_empty() {
        return format!(
            "{file}, {}; no samples: the service used no CPU in that time",
            bytes(len)
        );
    }
    format!("{file}, {}\n{}", bytes(len), hottest_table(&hottest))
}

/// A function and the samples in which it was the innermost one.
type Hot = (String, u64);

fn hottest_table(hottest: &[Hot]) -> String {
    let total: u64 = hottest.iter().map(|(_, samples)| samples).sum();
    let mut rows = table(&["on CPU", "function"]);
    for (function, samples) in hottest.iter().take(HOTTEST_LEN) {
        rows.add_row(vec![share(*samples, total), function.clone()]);
    }
    table_text(&rows)
}

fn share(part: u64, total: u64) -> String {
    let tenths = part.saturating_mul(1000) / total.max(1);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn ranked(samples: HashMap<&str, u64>) -> Vec<Hot> {
    let mut ranked: Vec<_> = samples
        .into_iter()
        .filter(|(_, samples)| *samples > 0)
        .map(|(function, samples)| (function.to_owned(), samples))
        .collect();
    ranked.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    ranked
}

/// From lines `outer;inner 7`.
fn hottest_of_folded(text: &str) -> Vec<Hot> {
    let mut samples: HashMap<&str, u64> = HashMap::new();
    for line in text.lines() {
        let Some((stack, count)) = line.rsplit_once(' ') else {
            continue;
        };
        let (Some(leaf), Ok(count)) = (stack.rsplit(';').next(), count.parse::<u64>()) else {
            continue;
        };
        *samples.entry(leaf).or_default() += count;
    }
    ranked(samples)
}

/// One frame of a drawn flamegraph: name, level, begin and length in samples.
#[derive(Debug, PartialEq, Eq)]
struct Drawn<'a> {
    function: &'a str,
    y: u64,
    begin: u64,
    len: u64,
}

/// From the frames of the drawing: a frame's own samples are those that no frame on top of it covers.
fn hottest_of_svg(svg: &str) -> Vec<Hot> {
    let frames: Vec<_> = svg.split("<title>").skip(1).filter_map(drawn).collect();
    let mut levels: Vec<u64> = frames.iter().map(|frame| frame.y).collect();
    levels.sort_unstable();
    levels.dedup();
    // Frames lie in rows of equal height; the distance of two neighbouring rows is that height.
    let height = levels
        .windows(2)
        .map(|pair| pair[1] - pair[0])
        .min()
        .unwrap_or(0);
    let base = frames
        .iter()
        .max_by_key(|frame| frame.len)
        .map(|frame| frame.y);
    let grows_up = base.is_some_and(|base| levels.last() == Some(&base));
    let above = |frame: &Drawn<'_>| {
        if grows_up {
            frame.y.wrapping_sub(height)
        } else {
            frame.y + height
        }
    };
    let mut covered: HashMap<u64, Vec<(u64, u64)>> = HashMap::new();
    for frame in &frames {
        covered
            .entry(frame.y)
            .or_default()
            .push((frame.begin, frame.len));
    }
    let mut samples: HashMap<&str, u64> = HashMap::new();
    for frame in &frames {
        let on_top: u64 = covered
            .get(&above(frame))
            .into_iter()
            .flatten()
            .filter(|(begin, _)| (frame.begin..frame.begin + frame.len).contains(begin))
            .map(|(_, len)| len)
            .sum();
        *samples.entry(frame.function).or_default() += frame.len.saturating_sub(on_top);
    }
    ranked(samples)
        .into_iter()
        .map(|(function, samples)| (unescaped(&function), samples))
        .collect()
}

/// The five entities that XML text may hold (XML 1.0, section 4.6); the ampersand last, so that nothing is undone twice.
fn unescaped(text: &str) -> String {
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (entity, plain)| {
        text.replace(entity, plain)
    })
}

/// A frame from the text after its `<title>`: `name (7 samples, 1.2%)</title><rect … y="36" … fg:x="0" fg:w="7"/>`.
fn drawn(text: &str) -> Option<Drawn<'_>> {
    let (title, rest) = text.split_once("</title>")?;
    let (function, _) = title.rsplit_once(" (")?;
    let rect = rest.split_once("<rect")?.1.split_once('>')?.0;
    let attribute = |name: &str| -> Option<u64> {
        let value = rect.split_once(name)?.1.split_once('"')?.0;
        value.parse().ok()
    };
    Some(Drawn {
        function,
        y: attribute(" y=\"")?,
        begin: attribute("fg:x=\"")?,
        len: attribute("fg:w=\"")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: folded lines are summed by their innermost function.
    #[test]
    fn folded_leaves_are_summed() {
        let text = "w;a;b 3\nw;c;b 4\nw;a 2\nno count\n";
        assert_eq!(
            hottest_of_folded(text),
            [("b".to_owned(), 7), ("a".to_owned(), 2)]
        );
        assert_eq!(hottest_of_folded("nothing was on a CPU 0\n"), []);
    }

    /// Goal: names are shown as they are, not as XML writes them.
    #[test]
    fn names_are_unescaped() {
        assert_eq!(
            unescaped("&lt;Vec&lt;&amp;str&gt; as Drop&gt;::drop &amp;lt;"),
            "<Vec<&str> as Drop>::drop &lt;"
        );
    }

    /// Goal: a frame's own samples are what no frame on top of it covers, whichever way the drawing grows.
    #[test]
    fn drawn_frames_give_their_own_samples() {
        let frame = |name: &str, y: u64, begin: u64, len: u64| {
            format!(
                "<g><title>{name} ({len} samples, 1%)</title><rect x=\"0.1%\" y=\"{y}\" width=\"5%\" height=\"15\" fill=\"rgb(1,2,3)\" fg:x=\"{begin}\" fg:w=\"{len}\"/></g>"
            )
        };
        for rows in [[100, 84, 68], [68, 84, 100]] {
            let svg = [
                frame("all", rows[0], 0, 10),
                frame("a", rows[1], 0, 6),
                frame("b", rows[1], 6, 4),
                frame("c&lt;u8&gt;", rows[2], 1, 5),
            ]
            .concat();
            let expect = [
                ("c<u8>".to_owned(), 5),
                ("b".to_owned(), 4),
                ("a".to_owned(), 1),
            ];
            assert_eq!(hottest_of_svg(&svg), expect);
        }
        assert_eq!(hottest_of_svg("<svg></svg>"), []);
    }
}
