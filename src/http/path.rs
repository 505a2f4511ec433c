//! What the path of a request becomes before it is routed and forwarded.

/// `meshConfig.pathNormalization.normalization` (specification appendix A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathNormalization {
    /// `NONE`: the path as sent, but for a fragment.
    None,
    /// `BASE` and `DEFAULT`: dot segments removed, `\` to `/`, unreserved characters decoded.
    Base,
    /// `MERGE_SLASHES`: as BASE, and runs of `/` become one.
    MergeSlashes,
    /// `DECODE_AND_MERGE_SLASHES`: as MERGE_SLASHES, after `%2F` and `%5C` became `/`.
    DecodeAndMergeSlashes,
}
