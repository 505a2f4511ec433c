//! `outlierDetection` of a DestinationRule, or of the mesh, to what the table has (specification section 4.5).

use crate::{
    config::{Spanned, resources},
    table::OutlierDetection,
};
use std::time::Duration;

/// The shortest time; `validate` asks for it.
const TIME_MIN: Duration = Duration::from_millis(1);

/// When an endpoint is left out. The block being there at all switches it on, as in istiod.
pub(super) fn outlier(
    written: Option<&Spanned<resources::OutlierDetection>>,
) -> Option<Box<OutlierDetection>> {
    const LOCAL_FAILURES: u32 = 5;
    let written = &written?.value;
    let default = OutlierDetection::default();
    let is_split = written.split_external_local_origin_errors.as_ref().is_some_and(|split| split.value);
    let local = written.consecutive_local_origin_failures.as_ref().map_or(0, |failures| failures.value);
    // istiod can't tell 0 from what is not written.
    let local = if local > 0 { local } else { LOCAL_FAILURES };
    let percent = |written: &Option<Spanned<i32>>, default: u32| {
        let percent = written.as_ref().and_then(|percent| u32::try_from(percent.value).ok());
        percent.filter(|percent| *percent > 0).map_or(default, |percent| percent.min(100))
    };
    let time = |written: &Option<Spanned<Duration>>, default: Duration| {
        written.as_ref().map_or(default, |time| time.value.max(TIME_MIN))
    };
    let number = |written: &Option<Spanned<u32>>, default| written.as_ref().map_or(default, |n| n.value);
    let codes = written.outlier_detection_http_error_codes.iter();
    let mut statuses: Vec<u16> = codes.filter_map(|code| u16::try_from(code.value).ok()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    Some(Box::new(OutlierDetection {
        consecutive_5xx: number(&written.consecutive_5xx_errors, default.consecutive_5xx),
        consecutive_gateway: number(&written.consecutive_gateway_errors, default.consecutive_gateway),
        consecutive_local: is_split.then_some(local),
        statuses: statuses.into(),
        interval: time(&written.interval, default.interval),
        base_ejection_time: time(&written.base_ejection_time, default.base_ejection_time),
        max_ejection_percent: percent(&written.max_ejection_percent, default.max_ejection_percent),
        min_health_percent: percent(&written.min_health_percent, default.min_health_percent),
    }))
}
