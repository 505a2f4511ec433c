//! The policies of a rule of `VirtualService.http`: retries, faults, mirrors, CORS.

use super::{Destination, StringMatch};
use crate::config::{
    Spanned,
    decode::{choice, object},
};
use std::time::Duration;

object! {
    /// What is tried again.
    pub struct HttpRetry {
        /// The most retries; 0: none, not even the usual ones.
        attempts: Option<Spanned<i32>> = "attempts",
        /// The time for each try; absent: the whole time.
        per_try_timeout: Option<Spanned<Duration>> = "perTryTimeout",
        /// The reasons, with commas between them.
        retry_on: Option<Spanned<String>> = "retryOn",
        /// Endpoints elsewhere may be tried.
        retry_remote_localities: Option<Spanned<bool>> = "retryRemoteLocalities",
        /// Endpoints that failed are avoided; absent: yes.
        retry_ignore_previous_hosts: Option<Spanned<bool>> = "retryIgnorePreviousHosts",
        /// The first pause; absent: 25 ms.
        backoff: Option<Spanned<Duration>> = "backoff",
    }
}

object! {
    /// Failures made on purpose.
    pub struct HttpFaultInjection {
        /// Requests that wait.
        delay: Option<Spanned<FaultDelay>> = "delay",
        /// Requests that fail.
        abort: Option<Spanned<FaultAbort>> = "abort",
    }
}

object! {
    /// Requests that wait (`HTTPFaultInjection.Delay`).
    pub struct FaultDelay {
        /// Deprecated: the share in whole percent.
        percent: Option<Spanned<i32>> = "percent",
        /// How long.
        fixed_delay: Option<Spanned<Duration>> = "fixedDelay",
        /// In the API, implemented by nobody.
        exponential_delay: Option<Spanned<Duration>> = "exponentialDelay",
        /// The share; absent: none.
        percentage: Option<Spanned<Percent>> = "percentage",
    }
    one_of ["fixedDelay", "exponentialDelay"]
}

object! {
    /// Requests that fail (`HTTPFaultInjection.Abort`).
    pub struct FaultAbort {
        /// The status of the answer.
        http_status: Option<Spanned<i32>> = "httpStatus",
        /// The name of the gRPC status of the answer.
        grpc_status: Option<Spanned<String>> = "grpcStatus",
        /// In the API, implemented by nobody.
        http2_error: Option<Spanned<String>> = "http2Error",
        /// The share; absent: none.
        percentage: Option<Spanned<Percent>> = "percentage",
    }
    one_of ["httpStatus", "grpcStatus", "http2Error"]
}

object! {
    /// A share from 0 to 100.
    pub struct Percent {
        /// The share.
        value: Option<Spanned<f64>> = "value",
    }
}

object! {
    /// Where copies of requests go.
    pub struct HttpMirrorPolicy {
        /// Where.
        destination: Option<Spanned<Destination>> = "destination",
        /// The share; absent: all.
        percentage: Option<Spanned<Percent>> = "percentage",
    }
}

object! {
    /// What browsers may do with the answers (Cross-Origin Resource Sharing).
    pub struct CorsPolicy {
        /// Deprecated: the origins, exactly.
        allow_origin: Vec<Spanned<String>> = "allowOrigin",
        /// The origins.
        allow_origins: Vec<Spanned<StringMatch>> = "allowOrigins",
        /// `Access-Control-Allow-Methods`.
        allow_methods: Vec<Spanned<String>> = "allowMethods",
        /// `Access-Control-Allow-Headers`.
        allow_headers: Vec<Spanned<String>> = "allowHeaders",
        /// `Access-Control-Expose-Headers`.
        expose_headers: Vec<Spanned<String>> = "exposeHeaders",
        /// `Access-Control-Max-Age`.
        max_age: Option<Spanned<Duration>> = "maxAge",
        /// `Access-Control-Allow-Credentials`.
        allow_credentials: Option<Spanned<bool>> = "allowCredentials",
        /// What is done with preflights from other origins.
        unmatched_preflights: Option<Spanned<UnmatchedPreflights>> = "unmatchedPreflights",
    }
}

choice! {
    /// `CorsPolicy.UnmatchedPreflights`.
    pub enum UnmatchedPreflights {
        /// As `FORWARD`.
        Unspecified = "UNSPECIFIED" (0),
        /// They go to the destination.
        Forward = "FORWARD" (1),
        /// They are answered here, without leave.
        Ignore = "IGNORE" (2),
    }
}
