//! `sluicegate man`: the manual page, one for all subcommands.

use super::{
    FAILED,
    args::Arguments,
    output::{complain, print},
};
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use std::io::{self, Write};

/// Runs the subcommand; returns the exit code.
pub(super) fn run() -> u8 {
    let mut page = Vec::new();
    match write(&mut page) {
        Ok(()) => print(&String::from_utf8_lossy(&page)),
        Err(error) => {
            complain(&format!("error: can't make the page: {error}\n"));
            FAILED
        }
    }
}

fn write(page: &mut Vec<u8>) -> io::Result<()> {
    let mut command = Arguments::command();
    // Tells the subcommands their full names.
    command.build();
    let man = Man::new(command.clone()).section("8").manual("System administration");
    man.render_title(page)?;
    man.render_name_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    for subcommand in command.get_subcommands().filter(|command| command.get_name() != "help") {
        write_subcommand(subcommand, page)?;
    }
    man.render_extra_section(page)?;
    man.render_version_section(page)
}

/// A section named as the subcommand, with its own parts one level down.
fn write_subcommand(command: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    let man = Man::new(command.clone());
    let mut parts = Vec::new();
    man.render_synopsis_section(&mut parts)?;
    man.render_description_section(&mut parts)?;
    if command.get_arguments().next().is_some() {
        man.render_options_section(&mut parts)?;
    }
    writeln!(page, ".SH \"SLUICEGATE {}\"", command.get_name().to_ascii_uppercase())?;
    for line in String::from_utf8_lossy(&parts).lines() {
        match line.strip_prefix(".SH ") {
            Some(heading) => writeln!(page, ".SS {heading}")?,
            // What an apostrophe is on this output device has been said at the title.
            None if line.starts_with(".ie ") || line.starts_with(".el ") => {}
            None => writeln!(page, "{line}")?,
        }
    }
    Ok(())
}
