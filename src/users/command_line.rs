//! `beian user create`: a new installation's first admin.

use anyhow::{Context, bail};
use secrecy::ExposeSecret;

use super::contacts::checked_email;
use super::model::{self, StaffRole};
use crate::app::{App, NewUser};
use crate::auth;
use crate::error::violated_constraint;
use crate::kernel::pii::Sensitive;

/// Makes a member of staff, by whoever may run commands on the server.
///
/// # Errors
/// When the login, a role or the address is malformed, the password too weak or the login taken.
pub fn create_from_command_line(app: &App, user: NewUser) -> anyhow::Result<()> {
    let login = user.login.trim().to_lowercase();
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_login = (3..=64).contains(&login.len())
        && login.starts_with(is_plain)
        && login.chars().all(|c| is_plain(c) || matches!(c, '.' | '_' | '-'));
    if !is_login {
        bail!("a login has 3 to 64 letters, digits and . _ - and begins with a letter or digit");
    }
    if user.roles.is_empty() {
        bail!("a member of staff needs a role");
    }
    let roles = user.roles.iter().map(|role| role.parse::<StaffRole>()).collect::<Result<Vec<_>, _>>();
    let roles = roles.map_err(|error| {
        let known: Vec<&str> = StaffRole::ALL.iter().map(|role| role.as_str()).collect();
        anyhow::anyhow!("role: {error}; known are {}", known.join(", "))
    })?;
    let email = Sensitive::new(user.email.trim());
    if !checked_email(&email) {
        bail!("the address is not an e-mail address");
    }
    let password = user.password.expose_secret();
    if auth::check_password_rule("/password", &login, password).is_err() {
        bail!("the password must have 10 to 128 characters and be neither the login nor a well-known one");
    }
    let hash = auth::hash_blocking(password)?;
    let mut conn = app.db.connection()?;
    match model::create_staff(
        &mut conn,
        app.clock.now(),
        &login,
        &user.display_name,
        &roles,
        hash,
        Some(email),
    ) {
        Ok(id) => {
            println!("created {login} ({id})");
            Ok(())
        }
        Err(error) if violated_constraint(&error) == Some("users_login_key") => {
            bail!("the login {login} is taken")
        }
        Err(error) => Err(error).context("cannot create the user"),
    }
}
