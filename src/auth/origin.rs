//! Where a request without a session comes from: what the audit row and the throttling need to know.

use std::{
    future::{Ready, ready},
    net::IpAddr,
};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web};

use crate::app::App;
use crate::audit::Actor;
use crate::error::ApiError;
use crate::kernel::ids::UserId;
use crate::kernel::{peer, request_id};

/// Address and id of a request.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Peer address, behind trusted proxies the forwarded one.
    pub address: Option<IpAddr>,
    /// `X-Request-Id`.
    pub request_id: String,
}

impl Origin {
    /// The actor of a deed done from here by a user who has just proved who they are.
    pub fn actor(&self, user_id: UserId, role: &'static str) -> Actor {
        Actor {
            user_id: Some(user_id),
            role,
            request_id: Some(self.request_id.clone()),
            address: self.address,
        }
    }
}

impl FromRequest for Origin {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let Some(app) = req.app_data::<web::Data<App>>() else {
            return ready(Err(ApiError::internal("no application data")));
        };
        let address = peer::address(req, &app.config.http.trusted_proxies);
        ready(Ok(Self { address, request_id: request_id::of(req) }))
    }
}
