//! A load's latencies as a picture: the distribution on an axis of nines, and the course over time. PURE.
//!
//! On an axis of nines the tail has as much room as the body: 90 %, 99 % and 99.9 % are equally far apart. That is where
//! services differ, and where an average shows nothing.

use std::ops::Range;

use load::stamp::Stamp;
use load::{Report, Second};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    BLACK, ChartBuilder, Color as _, DrawingArea, IntoDrawingArea as _, IntoLogRange as _,
    LineSeries, PathElement, RGBColor, SVGBackend, SeriesLabelPosition, WHITE,
};

/// Size of the picture in pixels: readable in a page of documentation without scrolling.
const SIZE: (u32, u32) = (960, 760);

/// Most runs in one picture: as many as there are colours.
const RUNS_LEN_MAX: usize = COLOURS.len();

/// Marks on the axis of time, about.
const SECONDS_MARKS: f64 = 10.0;

/// Shortest time drawn, in milliseconds: a logarithmic axis has no zero.
const SHORTEST_MS: f64 = 0.001;

/// Colours that remain apart for people who see few, and in grey.
const COLOURS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// A curve by points.
struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

/// An axis across.
struct Axis {
    marks: Vec<f64>,
    label: fn(&f64) -> String,
    unit: &'static str,
}

/// A scale from 0 with marks of our own choice.
struct Scale {
    range: RangedCoordf64,
    marks: Vec<f64>,
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.range.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() {
            Vec::new()
        } else {
            self.marks.clone()
        }
    }

    fn range(&self) -> Range<f64> {
        self.range.range()
    }
}

/// The picture of the last runs of these, as SVG.
///
/// # Errors
///
/// What the drawing says.
pub(super) fn svg(reports: &[&Report]) -> Result<String, String> {
    let reports = &reports[reports.len().saturating_sub(RUNS_LEN_MAX)..];
    let mut text = String::new();
    let drawn = draw(reports, &mut text);
    drawn.map_err(|error| error.to_string())?;
    Ok(text)
}

fn draw(reports: &[&Report], text: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (upper, lower) = root.split_vertically(SIZE.1 / 2);
    let distribution: Vec<Line> = reports.iter().map(|report| distribution(report)).collect();
    chart(
        &upper,
        "Response time from the intended moment, by the share of messages that were not slower",
        &distribution,
        &Axis::of_nines(&distribution),
    )?;
    let course: Vec<Line> = match reports {
        [report] => course(report),
        _ => reports
            .iter()
            .map(|report| over_time(&caption(report), &report.seconds, |second| second.p99))
            .collect(),
    };
    let title = match reports {
        [_] => "Response time by the second of the answer",
        _ => "99th percentile by the second of the answer",
    };
    chart(&lower, title, &course, &Axis::of_seconds(&course))?;
    root.present()?;
    Ok(())
}

impl Axis {
    /// Marks at each nine that there is.
    fn of_nines(lines: &[Line]) -> Self {
        let last = last_x(lines);
        let nines = (0..).map(f64::from);
        Self {
            marks: nines.take_while(|nine| *nine <= last).collect(),
            label: nines_label,
            unit: "",
        }
    }

    /// Marks at every 1, 2, 5, 10, 20 … seconds.
    fn of_seconds(lines: &[Line]) -> Self {
        let last = last_x(lines);
        let decades = (0..).map(|decade| 10.0_f64.powi(decade));
        let mut steps = decades.flat_map(|decade| [1.0, 2.0, 5.0].map(|digit| digit * decade));
        let step = steps.find(|step| last / step <= SECONDS_MARKS);
        let step = step.unwrap_or(1.0);
        let marks = (0..).map(|mark| f64::from(mark) * step);
        Self {
            marks: marks.take_while(|mark| *mark <= last).collect(),
            label: |second| format!("{second:.0}"),
            unit: "seconds",
        }
    }
}

fn last_x(lines: &[Line]) -> f64 {
    let points = lines.iter().flat_map(|line| &line.points);
    points.map(|point| point.0).fold(1.0, f64::max)
}

fn chart(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    title: &str,
    lines: &[Line],
    axis: &Axis,
) -> Result<(), Box<dyn std::error::Error>> {
    let heights = || {
        lines
            .iter()
            .flat_map(|line| &line.points)
            .map(|point| point.1)
    };
    let lowest = heights().fold(f64::INFINITY, f64::min);
    let lowest = if lowest.is_finite() { lowest } else { 1.0 };
    let highest = heights().fold(lowest, f64::max);
    let across = Scale {
        range: (0.0..last_x(lines)).into(),
        marks: axis.marks.clone(),
    };
    let up = (decade_below(lowest)..decade_above(highest)).log_scale();
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 15))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d(across, up)?;
    chart
        .configure_mesh()
        .x_desc(axis.unit)
        .y_desc("milliseconds")
        .x_label_formatter(&axis.label)
        .y_label_formatter(&|ms| format!("{ms}"))
        .light_line_style(BLACK.mix(0.05))
        .draw()?;
    for (line, colour) in lines.iter().zip(COLOURS) {
        let points = line.points.iter().copied();
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(&line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.2))
        .draw()?;
    Ok(())
}

fn distribution(report: &Report) -> Line {
    let last_backed = report
        .curve
        .iter()
        .filter(|point| point.quantile < 1.0)
        .map(|point| nines(point.quantile))
        .fold(0.0, f64::max);
    let points = report.curve.iter().map(|point| {
        // The maximum has no place on an axis of nines: it is drawn where one sample of all would be.
        let x = if point.quantile < 1.0 {
            nines(point.quantile)
        } else {
            (report.response_ms.count as f64).log10().max(last_backed)
        };
        (x, point.ms.max(SHORTEST_MS))
    });
    Line {
        name: caption(report),
        points: points.collect(),
    }
}

/// Median, 99th percentile and maximum of one run over time.
fn course(report: &Report) -> Vec<Line> {
    let seconds = &report.seconds;
    vec![
        over_time("median", seconds, |second| second.p50),
        over_time("99th percentile", seconds, |second| second.p99),
        over_time("maximum", seconds, |second| second.max),
    ]
}

fn over_time(name: &str, seconds: &[Second], figure: fn(&Second) -> f64) -> Line {
    let points = seconds.iter().map(|second| {
        let middle = second.at_s as f64 + second.length_s as f64 / 2.0;
        (middle, figure(second).max(SHORTEST_MS))
    });
    Line {
        name: name.to_owned(),
        points: points.collect(),
    }
}

fn caption(report: &Report) -> String {
    let stamp = match report.stamp {
        Stamp::Ok => String::new(),
        stamp => format!(" {stamp}"),
    };
    let loop_kind = if report.closed_loop {
        " closed loop"
    } else {
        ""
    };
    format!(
        "{} {} {:.0}/s{loop_kind}{stamp}",
        report.workload, report.profile, report.offered_per_s
    )
}

/// The place of a quantile below 1 on an axis of nines: 0.9 is 1, 0.99 is 2.
fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).log10()
}

/// What stands at a place of that axis.
fn nines_label(place: &f64) -> String {
    let percent = 100.0 * (1.0 - 10.0_f64.powf(-place));
    // As many digits as it takes to tell it from 100.
    let digits = (*place - 2.0).ceil().clamp(0.0, 6.0);
    match digits {
        digits if digits < 1.0 => format!("{percent:.0} %"),
        digits if digits < 2.0 => format!("{percent:.1} %"),
        digits if digits < 3.0 => format!("{percent:.2} %"),
        digits if digits < 4.0 => format!("{percent:.3} %"),
        _ => format!("{percent:.4} %"),
    }
}

fn decade_below(value: f64) -> f64 {
    10.0_f64.powf(value.log10().floor())
}

fn decade_above(value: f64) -> f64 {
    10.0_f64.powf(value.log10().ceil().max(value.log10().floor() + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: each nine is one step, and its label says which it is.
    #[test]
    fn nines_are_steps() {
        for (quantile, place, label) in [
            (0.0, 0.0, "0 %"),
            (0.9, 1.0, "90 %"),
            (0.99, 2.0, "99 %"),
            (0.999, 3.0, "99.9 %"),
            (0.9999, 4.0, "99.99 %"),
        ] {
            let found = nines(quantile);
            assert!((found - place).abs() < 1e-9, "{quantile}");
            assert_eq!(nines_label(&place), label);
        }
    }

    /// Goal: time has about ten marks, at round numbers, however long the run is.
    #[test]
    fn seconds_are_marked() {
        for (last, step, len) in [(9.5, 1.0, 10), (30.0, 5.0, 7), (599.0, 100.0, 6)] {
            let line = Line {
                name: String::new(),
                points: vec![(0.0, 1.0), (last, 1.0)],
            };
            let marks = Axis::of_seconds(&[line]).marks;
            assert!((marks[1] - step).abs() < 1e-9, "{last}: {marks:?}");
            assert_eq!(marks.len(), len, "{last}");
        }
    }

    /// Goal: the axis of milliseconds begins and ends at whole decades round the values.
    #[test]
    fn decades_enclose() {
        for (value, below, above) in [(0.25, 0.1, 1.0), (1.0, 1.0, 10.0), (730.0, 100.0, 1000.0)] {
            assert!((decade_below(value) / below - 1.0).abs() < 1e-9, "{value}");
            assert!((decade_above(value) / above - 1.0).abs() < 1e-9, "{value}");
        }
    }
}
