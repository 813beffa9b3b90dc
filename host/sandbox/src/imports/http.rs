//! `http`: the only way out, which is the broker's.

use forge_broker::{Refusal, Request, Response};

use crate::bindings::imports::forge::plugin::http;
use crate::state::State;

fn request(request: http::Request) -> Request {
    Request { method: request.method, url: request.url, headers: request.headers, body: request.body }
}

fn response(mut response: Response) -> http::Response {
    http::Response { status: response.status, headers: response.headers, body: std::mem::take(&mut *response.body) }
}

fn failure(refusal: Refusal) -> http::Failure {
    match refusal {
        Refusal::Denied(what) => http::Failure::Denied(what),
        Refusal::Credential(what) => http::Failure::Credential(what),
        Refusal::CredentialReflected => http::Failure::CredentialReflected,
        Refusal::Unreachable(what) => http::Failure::Unreachable(what),
        Refusal::Timeout => http::Failure::Timeout,
        Refusal::TooLarge => http::Failure::TooLarge,
        Refusal::Budget => http::Failure::Budget,
    }
}

impl http::Host for State {
    async fn send(&mut self, asked: http::Request) -> wasmtime::Result<Result<http::Response, http::Failure>> {
        let Some(call) = self.http.clone() else {
            return Ok(Err(http::Failure::Denied("no requests are granted".to_owned())));
        };
        Ok(call.send(request(asked)).await.map(response).map_err(failure))
    }

    async fn send_all(
        &mut self,
        asked: Vec<http::Request>,
    ) -> wasmtime::Result<Vec<Result<http::Response, http::Failure>>> {
        let Some(call) = self.http.clone() else {
            return Ok(asked
                .iter()
                .map(|_| Err(http::Failure::Denied("no requests are granted".to_owned())))
                .collect());
        };
        let answers = call.send_all(asked.into_iter().map(request).collect()).await;
        Ok(answers.into_iter().map(|answer| answer.map(response).map_err(failure)).collect())
    }
}
