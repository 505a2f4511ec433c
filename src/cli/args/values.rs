//! What options' texts are read into.

use clap::ValueEnum;
use std::{collections::BTreeMap, net::IpAddr, str::FromStr};

/// `--balance`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum BalanceKind {
    /// A worker serves what it accepts.
    #[default]
    Off,
    /// By the number of connections.
    Connections,
}

/// `app=web,tier=edge`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(pub BTreeMap<String, String>);

impl FromStr for Labels {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut labels = BTreeMap::new();
        for label in text.split(',').filter(|label| !label.is_empty()) {
            let Some((key, value)) = label.split_once('=').filter(|(key, _)| !key.trim().is_empty()) else {
                return Err(format!("`{label}`: expected KEY=VALUE"));
            };
            if labels.insert(key.trim().to_owned(), value.trim().to_owned()).is_some() {
                return Err(format!("`{}` is there twice", key.trim()));
            }
        }
        Ok(Labels(labels))
    }
}

/// `10.0.0.0/8,192.168.1.1,fd00::/8`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(pub Vec<(IpAddr, u8)>);

impl FromStr for Networks {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let list: Vec<_> = text.split(',').map(network).collect::<Result<_, _>>()?;
        Ok(Networks(list))
    }
}

/// An address alone is a network of one.
fn network(text: &str) -> Result<(IpAddr, u8), String> {
    let (address, length) = match text.trim().split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text.trim(), None),
    };
    let wrong = || format!("`{text}`: expected an address and a length, such as 10.0.0.0/8");
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let length = length.map_or(Ok(longest), |length| length.parse()).map_err(|_| wrong())?;
    if length > longest { Err(wrong()) } else { Ok((address, length)) }
}
