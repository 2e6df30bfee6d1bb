//! The ministry's system, as far as its public description goes: takes files, hands out results, and checks every byte that
//! it gets. Whatever is wrong is remembered and fails the test. It shares no code with the client.

use std::collections::{HashSet, VecDeque};
use std::io::{Cursor, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard};

use aes::Aes128;
use aes::cipher::block_padding::Pkcs7;
use aes::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::GBK;
use md5::{Digest, Md5};

use super::restartable_server::{Answer, HttpServer, Request};

const ISP_ID: &str = "110000123";
const USER: &str = "provider";
const PASSWORD: &str = "口令-Pa55word";
const KEY: &[u8; 16] = b"0123456789abcdef";
const IV: &[u8; 16] = b"0102030405060708";
const NAMESPACE: &str = "urn:test:isp";
const FILES: &str = "/ISPWebService/upDownLoad";
const STATUS: &str = "/BeianStatusWebService/queryBeianStatus";

/// What happens to a call instead of the usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The connection dies before anything is processed.
    LosePackage,
    /// Processed, and the reply is lost.
    LoseReply,
    /// Processed, and no reply for as long as the server runs.
    Hang,
    /// Not processed, and no reply for as long as the server runs.
    HangUnread,
    /// No reply, and processed only at [`Ministry::finish_slow`].
    Slow,
    /// Not processed, this code instead.
    Code(i64),
    /// Not processed, this HTTP status instead.
    Http(u16),
    /// Processed, and the reply is no SOAP.
    Garbage,
}

/// A file that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub number: i64,
    pub order_no: String,
    pub submission_id: String,
    pub xml: String,
}

#[derive(Default)]
struct State {
    /// Files, by number without gaps.
    files: Vec<Taken>,
    /// Number and hand-over of each readable upload, taken or not.
    seen: Vec<(i64, String)>,
    outbox: VecDeque<(String, String)>,
    acknowledged: Vec<String>,
    troubles: VecDeque<(&'static str, Trouble)>,
    calls: Vec<String>,
    random_values: HashSet<String>,
    slow: Option<Call>,
    is_password_changed: bool,
    is_plain: bool,
    faults: Vec<String>,
}

/// The running system.
pub struct Ministry {
    server: HttpServer,
    state: Arc<Mutex<State>>,
}

impl Ministry {
    /// Files are encrypted.
    pub fn start() -> Self {
        Self::new(false)
    }

    /// Files are not encrypted.
    pub fn start_plain() -> Self {
        Self::new(true)
    }

    fn new(is_plain: bool) -> Self {
        let state = Arc::new(Mutex::new(State { is_plain, ..State::default() }));
        let own = state.clone();
        let server = HttpServer::start(move |request| own.lock().unwrap().serve(&request));
        Self { server, state }
    }

    /// Settings of a server that talks to it.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let example = |name: &str| format!("{}/examples/bureau/{name}", env!("CARGO_MANIFEST_DIR"));
        let mut settings = vec![
            ("BUREAU_GATEWAY", "miit".to_owned()),
            ("MIIT_URL", self.server.url(FILES)),
            ("MIIT_STATUS_URL", self.server.url(STATUS)),
            ("MIIT_NAMESPACE", NAMESPACE.to_owned()),
            ("MIIT_ISP_ID", ISP_ID.to_owned()),
            ("MIIT_USER", USER.to_owned()),
            ("MIIT_PASSWORD", PASSWORD.to_owned()),
            ("MIIT_UPLOAD_TEMPLATE", example("upload.xml")),
            ("MIIT_RESULT_NAMES", example("results.json")),
        ];
        if !self.state().is_plain {
            settings.push(("MIIT_AES_KEY", String::from_utf8_lossy(KEY).into_owned()));
            settings.push(("MIIT_AES_IV", String::from_utf8_lossy(IV).into_owned()));
        }
        settings
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The next calls of this operation end so.
    pub fn trouble(&self, operation: &'static str, troubles: &[Trouble]) {
        self.state().troubles.extend(troubles.iter().map(|trouble| (operation, *trouble)));
    }

    /// Another password than the one in the settings counts, or that one again.
    pub fn change_password(&self, is_changed: bool) {
        self.state().is_password_changed = is_changed;
    }

    /// Processes the slow upload.
    pub fn finish_slow(&self) {
        let mut state = self.state();
        let call = state.slow.take().expect("a slow upload");
        state.upload(&call);
    }

    /// What was taken, in order.
    pub fn files(&self) -> Vec<Taken> {
        self.state().files.clone()
    }

    /// The last files are gone, as after a restored backup.
    pub fn lose_files_from(&self, number: i64) {
        self.state().files.retain(|file| file.number < number);
    }

    /// A file that somebody else sent under the same account.
    pub fn take_foreign_file(&self) {
        let mut state = self.state();
        let number = state.files.len() as i64 + 1;
        state.files.push(Taken {
            number,
            order_no: "FOREIGN".into(),
            submission_id: String::new(),
            xml: "<?xml version=\"1.0\" encoding=\"GBK\"?><foreign/>".into(),
        });
    }

    /// Lays a file of results ready: order number, ICP number, code, text, reference.
    pub fn lay_ready(&self, name: &str, rows: &[(&str, &str, &str, &str, &str)]) {
        let mut xml = "<?xml version=\"1.0\" encoding=\"GBK\"?>\n<results>".to_owned();
        for (order_no, icp_number, code, text, reference) in rows {
            xml.push_str(&format!(
                "<result><orderNo>{order_no}</orderNo><icpNumber>{icp_number}</icpNumber><resultCode>{code}</resultCode>\
                 <resultText>{text}</resultText><reference>{reference}</reference></result>"
            ));
        }
        xml.push_str("</results>");
        self.lay_file_ready(name, &xml);
    }

    /// Lays any file ready.
    pub fn lay_file_ready(&self, name: &str, xml: &str) {
        self.state().outbox.push_back((name.to_owned(), xml.to_owned()));
    }

    /// Another content for the file that lies ready first.
    pub fn replace_ready(&self, xml: &str) {
        self.state().outbox[0].1 = xml.to_owned();
    }

    pub fn acknowledged(&self) -> Vec<String> {
        self.state().acknowledged.clone()
    }

    /// Names of all operations called so far.
    pub fn calls(&self) -> Vec<String> {
        self.state().calls.clone()
    }

    pub fn stop(&self) {
        self.server.stop();
    }

    pub fn start_again(&self) {
        self.server.start_again();
    }

    /// No gap, nothing twice, no hand-over ever seen under two numbers, no byte wrong.
    #[track_caller]
    pub fn assert_in_order(&self) {
        let state = self.state();
        assert!(state.faults.is_empty(), "{:#?}", state.faults);
        let numbers: Vec<i64> = state.files.iter().map(|file| file.number).collect();
        assert_eq!(numbers, (1..=numbers.len() as i64).collect::<Vec<_>>());
        let mut taken: Vec<&str> = state.files.iter().map(|file| file.submission_id.as_str()).collect();
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken.len(), state.files.len(), "a hand-over was taken twice");
        for (number, submission) in &state.seen {
            let other = state.seen.iter().find(|(n, s)| s == submission && n != number);
            assert_eq!(other, None, "{submission} was sent under {number} too");
        }
    }
}

impl Drop for Ministry {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let state = self.state();
            assert!(state.faults.is_empty(), "{:#?}", state.faults);
            assert!(state.troubles.is_empty(), "troubles that never came: {:?}", state.troubles);
        }
    }
}

impl State {
    fn fault(&mut self, what: impl Into<String>) {
        self.faults.push(what.into());
    }

    fn serve(&mut self, request: &Request) -> Answer {
        let Some(call) = self.read_call(request) else {
            return Answer::Reply(500, "text/plain", b"what?".to_vec());
        };
        self.calls.push(call.operation.clone());
        let at = self.troubles.iter().position(|(operation, _)| *operation == call.operation);
        let trouble = at.and_then(|at| self.troubles.remove(at)).map(|(_, trouble)| trouble);
        match trouble {
            Some(Trouble::LosePackage) => return Answer::Nothing,
            Some(Trouble::HangUnread) => return Answer::Hang,
            Some(Trouble::Slow) => {
                self.slow = Some(call);
                return Answer::Nothing;
            }
            Some(Trouble::Http(status)) => {
                return Answer::Reply(status, "text/html", b"<p>busy</p>".to_vec());
            }
            Some(Trouble::Code(code)) => return soap(&call.operation, &returned(code, "稍后再试", "")),
            _ => {}
        }
        let inner = match self.refuse_stranger(&call) {
            Some(refusal) => refusal,
            None => match call.operation.as_str() {
                "isp_upload" => self.upload(&call),
                "isp_download" => self.download(),
                "isp_downloadack" => self.acknowledge(&call),
                "isp_querypreviousupload" => self.previous(),
                "isp_querybeianstatus" => self.status(&call),
                other => {
                    self.fault(format!("no operation {other}"));
                    returned(1, "?", "")
                }
            },
        };
        match trouble {
            Some(Trouble::LoseReply) => Answer::Nothing,
            Some(Trouble::Hang) => Answer::Hang,
            Some(Trouble::Garbage) => Answer::Reply(200, "text/html", b"<html>welcome</html>".to_vec()),
            _ => soap(&call.operation, &inner),
        }
    }

    fn read_call(&mut self, request: &Request) -> Option<Call> {
        if request.method != "POST" || !request.header("content-type").starts_with("text/xml") {
            self.fault(format!("{} with {:?}", request.method, request.header("content-type")));
        }
        if request.header("soapaction") != "\"\"" {
            self.fault("no SOAPAction");
        }
        let text = String::from_utf8(request.body.clone()).ok()?;
        let Some(call) = Call::read(&text) else {
            self.fault(format!("not the expected envelope: {}", text.chars().take(300).collect::<String>()));
            return None;
        };
        let is_status = call.operation == "isp_querybeianstatus";
        if request.path != if is_status { STATUS } else { FILES } {
            self.fault(format!("{} at {}", call.operation, request.path));
        }
        let own: &[&str] = match call.operation.as_str() {
            "isp_upload" => &[
                "beianInfo",
                "beianInfoHash",
                "dataSequence",
                "encryptAlgorithm",
                "hashAlgorithm",
                "compressionFormat",
            ],
            "isp_downloadack" => &["hashAlgorithm", "fileName"],
            "isp_querybeianstatus" => &["hashAlgorithm", "queryConditionType", "queryCondition"],
            _ => &["hashAlgorithm"],
        };
        let expected = [&["ispId", "userName", "randVal", "pwdHash"], own].concat();
        let names: Vec<&str> = call.parameters.iter().map(|(name, _)| name.as_str()).collect();
        if names != expected {
            self.fault(format!("{} with {names:?}", call.operation));
        }
        for (name, value) in [("ispId", ISP_ID), ("userName", USER), ("hashAlgorithm", "0")] {
            if call.get(name) != value {
                self.fault(format!("{name} is {:?}", call.get(name)));
            }
        }
        let random = call.get("randVal").to_owned();
        if random.len() != 20 || !random.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            self.fault(format!("randVal {random:?}"));
        }
        if !self.random_values.insert(random) {
            self.fault("a randVal was used twice");
        }
        Some(call)
    }

    fn refuse_stranger(&mut self, call: &Call) -> Option<String> {
        let (bytes, _, is_unwritable) = GBK.encode(PASSWORD);
        assert!(!is_unwritable);
        let mut bytes = bytes.into_owned();
        if self.is_password_changed {
            bytes.push(b'!');
        }
        bytes.extend_from_slice(call.get("randVal").as_bytes());
        let right = STANDARD.encode(Md5::digest(&bytes));
        if call.get("pwdHash") == right {
            return None;
        }
        if !self.is_password_changed {
            self.fault("pwdHash is wrong");
        }
        Some(returned(5, "口令错误", ""))
    }

    fn upload(&mut self, call: &Call) -> String {
        let number: i64 = call.get("dataSequence").parse().unwrap_or(-1);
        let algorithm = if self.is_plain { "0" } else { "1" };
        if call.get("encryptAlgorithm") != algorithm || call.get("compressionFormat") != "0" {
            self.fault("algorithms");
        }
        let Some(xml) = self.unwrap(call.get("beianInfo"), call.get("beianInfoHash")) else {
            return returned(8, "数据文件无法读取", "");
        };
        let between = |name: &str| {
            let rest = xml.split_once(&format!("<{name}>")).map_or("", |(_, rest)| rest);
            rest.split_once(&format!("</{name}>")).map_or("", |(text, _)| text).to_owned()
        };
        if between("dataSequence") != number.to_string() {
            self.fault(format!("number {number} outside, {:?} inside", between("dataSequence")));
        }
        let file = Taken {
            number,
            order_no: between("orderNo"),
            submission_id: between("submissionId"),
            xml: xml.clone(),
        };
        self.seen.push((number, file.submission_id.clone()));
        let last = self.files.len() as i64;
        if number > last + 1 {
            let missing = format!("<dataSequences><dataSequence>{}</dataSequence></dataSequences>", last + 1);
            return returned(14, "请首先上载漏报的数据", &missing);
        }
        if number <= last {
            self.fault(format!("file {number} again, though it had arrived"));
            return returned(15, "重复", "");
        }
        self.files.push(file);
        returned(0, "操作成功", "")
    }

    /// base64 → AES → MD5 → zip → GBK, each checked.
    fn unwrap(&mut self, info: &str, hash: &str) -> Option<String> {
        let read = || -> Result<String, String> {
            let bytes = STANDARD.decode(info).map_err(|error| error.to_string())?;
            let zip = if self.is_plain {
                bytes
            } else {
                cbc::Decryptor::<Aes128>::new(KEY.into(), IV.into())
                    .decrypt_padded_vec_mut::<Pkcs7>(&bytes)
                    .map_err(|error| format!("AES: {error}"))?
            };
            if STANDARD.encode(Md5::digest(&zip)) != hash {
                return Err("the hash does not fit".to_owned());
            }
            let mut archive = zip::ZipArchive::new(Cursor::new(zip)).map_err(|error| error.to_string())?;
            if archive.len() != 1 {
                return Err(format!("{} entries in the zip", archive.len()));
            }
            let mut entry = archive.by_index(0).map_err(|error| error.to_string())?;
            let stem = entry.name().strip_suffix(".xml").unwrap_or("?").to_owned();
            if !stem.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(format!("file name {}", entry.name()));
            }
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
            let text = GBK.decode_without_bom_handling_and_without_replacement(&bytes).ok_or("not GBK")?;
            if !text.starts_with("<?xml version=\"1.0\" encoding=\"GBK\"?>") {
                return Err("no XML declaration with GBK".to_owned());
            }
            Ok(text.into_owned())
        };
        match read() {
            Ok(text) => Some(text),
            Err(fault) => {
                self.fault(fault);
                None
            }
        }
    }

    fn wrap(&self, name: &str, number: Option<i64>, xml: &str) -> String {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("data.xml", zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(&GBK.encode(xml).0).unwrap();
        let zip = zip.finish().unwrap().into_inner();
        let hash = STANDARD.encode(Md5::digest(&zip));
        let (algorithm, bytes) = if self.is_plain {
            ("0", zip)
        } else {
            let cipher = cbc::Encryptor::<Aes128>::new(KEY.into(), IV.into());
            ("1", cipher.encrypt_padded_vec_mut::<Pkcs7>(&zip))
        };
        let number = number.map(|n| format!("<dataSequence>{n}</dataSequence>")).unwrap_or_default();
        format!(
            "<fileInfos><hashAlgorithm>0</hashAlgorithm><compressionFormat>0</compressionFormat>\
             <encryptAlgorithm>{algorithm}</encryptAlgorithm>{number}<return_FileName>{name}</return_FileName>\
             <beianInfo>{}</beianInfo><beianInfoHash>{hash}</beianInfoHash></fileInfos>",
            STANDARD.encode(bytes)
        )
    }

    fn download(&self) -> String {
        let Some((name, xml)) = self.outbox.front() else { return returned(2, "没有数据", "") };
        let code = if self.outbox.len() > 1 { 3 } else { 0 };
        returned(code, "操作成功", &self.wrap(name, None, xml))
    }

    fn acknowledge(&mut self, call: &Call) -> String {
        let name = call.get("fileName").to_owned();
        match self.outbox.front() {
            Some((front, _)) if *front == name => drop(self.outbox.pop_front()),
            _ if self.acknowledged.contains(&name) => {}
            _ => self.fault(format!("{name} was acknowledged and never sent")),
        }
        self.acknowledged.push(name);
        returned(0, "操作成功", "")
    }

    fn previous(&self) -> String {
        let inner = match self.files.last() {
            Some(file) => self.wrap("last", Some(file.number), &file.xml),
            None => "<fileInfos><dataSequence>0</dataSequence><beianInfo></beianInfo></fileInfos>".to_owned(),
        };
        returned(0, "操作成功", &inner)
    }

    fn status(&mut self, call: &Call) -> String {
        if call.get("queryConditionType") != "0" {
            self.fault("queryConditionType");
        }
        let domain = call.get("queryCondition").to_owned();
        let rest = if domain.starts_with("filed") {
            "<Wzmc>云上花店</Wzmc><Ztbah>京ICP备12345678号</Ztbah><Wzbah>京ICP备12345678号-1</Wzbah><Bazt>0</Bazt>"
        } else {
            "<Bazt>1</Bazt>"
        };
        returned(
            0,
            "操作成功",
            &format!("<StatusInfo><Cxtjlx>0</Cxtjlx><Cxtj>{domain}</Cxtj>{rest}</StatusInfo>"),
        )
    }
}

/// An operation and its parameters, in order.
struct Call {
    operation: String,
    parameters: Vec<(String, String)>,
}

impl Call {
    fn read(text: &str) -> Option<Self> {
        let body = text.split_once("<soapenv:Body>")?.1.split_once("</soapenv:Body>")?.0;
        if !text.contains(&format!("xmlns:isp=\"{NAMESPACE}\"")) {
            return None;
        }
        let (operation, rest) = body.strip_prefix("<isp:")?.split_once('>')?;
        let mut rest = rest.strip_suffix(&format!("</isp:{operation}>"))?;
        let mut parameters = Vec::new();
        while let Some((name, after)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
            let (value, after) = after.split_once(&format!("</{name}>"))?;
            let value = value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
            parameters.push((name.to_owned(), value.replace("&apos;", "'").replace("&amp;", "&")));
            rest = after;
        }
        rest.is_empty().then(|| Self { operation: operation.to_owned(), parameters })
    }

    fn get(&self, name: &str) -> &str {
        self.parameters.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

fn returned(code: i64, text: &str, more: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><return><msg_code>{code}</msg_code><msg>{text}</msg>{more}</return>"
    )
}

fn soap(operation: &str, inner: &str) -> Answer {
    let escaped = inner.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let text = format!(
        "<?xml version='1.0' encoding='UTF-8'?><S:Envelope xmlns:S=\"http://schemas.xmlsoap.org/soap/envelope/\"><S:Body>\
         <ns2:{operation}Response xmlns:ns2=\"{NAMESPACE}\"><return>{escaped}</return></ns2:{operation}Response>\
         </S:Body></S:Envelope>"
    );
    Answer::Reply(200, "text/xml;charset=UTF-8", text.into_bytes())
}
