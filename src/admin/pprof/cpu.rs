//! The CPU profile, recorded by the profile room and written in the asked format.

use std::time::Duration;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::super::problem::Problem;
use super::super::router::Core;
use super::{Format, Question};
use crate::Error;
use crate::profile::{self, Profile, Refused};

pub(super) async fn answer(core: &Core, question: Question) -> Result<Response, Problem> {
    let service = core.state.service.clone();
    let length = Duration::from_secs(question.seconds.into());
    let outcome = match profile::record(length, question.hz, move |profile| {
        written(&service, profile, question.format)
    }) {
        // A client that hangs up drops this future and with it the recording, which ends then.
        Ok(recording) => recording.finish().await,
        Err(refused) => Err(refused),
    };
    let body = outcome.map_err(|refused| problem(core, refused))?;
    let (kind, disposition) = match question.format {
        Format::Svg => ("image/svg+xml", "inline; filename=\"profile.svg\""),
        Format::Pprof => (
            "application/octet-stream",
            "attachment; filename=\"profile.pb.gz\"",
        ),
        Format::Folded => (
            "text/plain; charset=utf-8",
            "inline; filename=\"profile.folded\"",
        ),
    };
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    Ok((headers, body).into_response())
}

fn written(service: &str, profile: &Profile, format: Format) -> Result<Vec<u8>, Error> {
    match format {
        Format::Svg => profile::flamegraph(service, profile),
        Format::Folded => Ok(profile::folded(profile).into_bytes()),
        Format::Pprof => profile::gzip(&profile::encode(service, profile))
            .map_err(|source| Error::setup("the profile cannot be compressed").because(source)),
    }
}

fn problem(core: &Core, refused: Refused) -> Problem {
    match refused {
        Refused::Busy => {
            core.refused("profile-busy");
            Problem::new(
                StatusCode::CONFLICT,
                "another profile is being recorded, expected one at a time; try again when it is done",
            )
        }
        Refused::Unsafe(reason) => Problem::new(
            StatusCode::NOT_IMPLEMENTED,
            format!("this process cannot be profiled safely: {reason}"),
        ),
        // The `Debug` form of the error is its whole chain of causes.
        Refused::Failed(error) => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}"))
        }
    }
}
