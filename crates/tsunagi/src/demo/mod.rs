//! `tsunagi demo`: both clouds simulated on this machine, the real gateway between them on an embedded SQLite, and a
//! page on which the story of its customers can be seen and played.
//!
//! The story begins in the terminal (`story.rs`) and goes on at the page. The gateway is a process of its own
//! (`gateway.rs`) that follows the clouds' clock (`follow.rs`), so that it can be killed and hours can pass.

mod follow;
mod gateway;
mod story;

pub(crate) use follow::end_with_the_demo;

use crate::cli::Failure;
use crate::config;
use crate::serve::told_to_stop;
use gateway::{Keeper, Recipe};
use serde_json::json;
use sim::{Clock, GatewayHandle, Mode, SimConfig, WechatAccountConfig};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use story::{AGENTS, Story, say, story};

/// What `demo` may be told.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    /// Play the story to its end in the terminal and stop, instead of leaving everything running.
    #[arg(long)]
    once: bool,
    /// Address of the page.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8088")]
    page: std::net::SocketAddr,
    /// In which language the gateway speaks to agents and customers. The page has the browser's.
    #[arg(long, value_parser = ["zh", "ja", "en"], default_value = language())]
    language: String,
    /// Log what the gateway does, too.
    #[arg(long)]
    verbose: bool,
}

/// The language of the terminal, if the gateway speaks it.
fn language() -> &'static str {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let wanted = set("LC_ALL").or_else(|| set("LC_MESSAGES")).or_else(|| set("LANG")).unwrap_or_default();
    ["zh", "ja"].into_iter().find(|language| wanted.starts_with(language)).unwrap_or("en")
}

/// Begins the story, then waits for Ctrl-C.
pub(crate) async fn run(args: DemoArgs) -> Result<ExitCode, Failure> {
    let folder = Folder::new()?;
    let (listen, admin) = (free_port()?, free_port()?);
    let webhooks = format!("http://127.0.0.1:{listen}");
    let recipe = Recipe {
        config: folder.0.join("tsunagi.toml"),
        clock: folder.0.join("clock"),
        log: (!args.verbose).then(|| folder.0.join("gateway.log")),
        admin: format!("http://127.0.0.1:{admin}"),
    };
    let unwritable = |error| Failure::new(error, "the temporary folder must be writable");
    let clock = Clock::kept_in(recipe.clock.clone()).map_err(unwritable)?;
    let (config_path, admin_url) = (recipe.config.clone(), recipe.admin.clone());
    let (mut keeper, handle) = Keeper::new(recipe);
    let clouds = start_clouds(&args, clock, handle).await?;
    let file = gateway_config(&clouds, &folder, [listen, admin], &args.language);
    std::fs::write(&config_path, file).map_err(unwritable)?;
    // A mistake in it is told here, in this process's words.
    config::load(&config_path, std::iter::empty())?;
    let control = clouds.control();
    for agent in AGENTS {
        control.agent_online(agent, true).await.map_err(story)?;
    }
    keeper.start().await?;
    control
        .configure(json!({ "app_id": app_id(), "webhook_url": format!("{webhooks}/wechat/shop") }))
        .await
        .map_err(story)?;
    control.configure(json!({ "callback_url": format!("{webhooks}/imcallback") })).await.map_err(story)?;

    say(
        "Tsunagi demo: WeChat and Tencent IM are simulated on this machine, the gateway between them is the real one.",
    );
    say(&format!(
        "WeChat API  {}\nIM REST API {}\ngateway     {webhooks}  (admin {admin_url})",
        clouds.wechat_url, clouds.im_url
    ));
    let told = tokio::select! {
        told = tell(&control, &args, &clouds.control_url) => told,
        () = keeper.obey() => Ok(()),
    };
    keeper.stop().await;
    clouds.shutdown().await;
    told.map(|()| ExitCode::SUCCESS)
}

async fn tell(control: &sim::Control, args: &DemoArgs, page: &str) -> Result<(), Failure> {
    let mut told = Story::new(control);
    told.begin().await?;
    if args.once {
        return told.finish().await;
    }
    told.others().await?;
    say(&format!(
        "\nNow it is your turn. Write as a customer and answer as the agent at\n\n    {page}\n\n\
         Every hop can be seen there, and everything can be broken. Ctrl-C ends it."
    ));
    told_to_stop().await;
    Ok(())
}

fn app_id() -> String {
    WechatAccountConfig::shop().app_id
}

async fn start_clouds(args: &DemoArgs, clock: Clock, gateway: GatewayHandle) -> Result<sim::Sim, Failure> {
    let mut config = SimConfig::shop();
    config.wechat[0].mode = Mode::Secure;
    config.clock = clock;
    config.gateway = Some(gateway);
    let page = if args.once { "127.0.0.1:0".parse().unwrap_or(args.page) } else { args.page };
    config.bind[2] = page;
    match sim::start(config.clone()).await {
        Ok(clouds) => Ok(clouds),
        Err(_) if page.port() != 0 => {
            // Another demo may be running: any free port will do.
            config.bind[2].set_port(0);
            sim::start(config).await.map_err(|error| Failure::new(error, "free a port on 127.0.0.1"))
        }
        Err(error) => Err(Failure::new(error, "free a port on 127.0.0.1")),
    }
}

/// A port for the gateway. Not one of those that the system hands out by itself: while the gateway is dead, any outgoing
/// connection might get it. Each process begins at two of its own, so that demos that start together do not choose the same.
fn free_port() -> Result<u16, Failure> {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..500 {
        let at =
            std::process::id().wrapping_mul(2).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 6_000;
        let port = 4_000 + u16::try_from(at).unwrap_or_default();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(Failure::new("no port is free", "free a port between 4000 and 10000 on 127.0.0.1"))
}

/// The gateway's configuration: a file as a shop would write it.
fn gateway_config(clouds: &sim::Sim, folder: &Folder, ports: [u16; 2], language: &str) -> String {
    let (shop, im) = (WechatAccountConfig::shop(), sim::ImConfig::shop());
    let text = |value: &str| toml::Value::from(value).to_string();
    let [listen, admin] = ports;
    format!(
        "[server]\nlisten = \"127.0.0.1:{listen}\"\nadmin_listen = \"127.0.0.1:{admin}\"\n\
         [log]\nformat = \"text\"\n\
         [store]\nurl = {store}\nmedia = {media}\n\
         [media]\nprivate_networks = [\"127.0.0.0/8\"]\n\
         [im]\nsdk_app_id = {sdk_app_id}\nsecret_key = {secret_key}\nbase_url = {im_url}\ncallback_token = {callback_token}\n\
         [[account]]\nid = \"shop\"\napp_id = {app_id}\napp_secret = {app_secret}\ntoken = {token}\n\
         encoding_aes_key = {aes_key}\nbase_url = {wechat_url}\nlanguage = {language}\nagents = [{agents}]\n",
        store = text(&format!("sqlite:{}", folder.0.join("tsunagi.db").display())),
        media = text(&format!("file:{}", folder.0.join("media").display())),
        sdk_app_id = im.sdk_app_id,
        secret_key = text(&im.secret_key),
        im_url = text(&clouds.im_url),
        callback_token = text(im.callback_token.as_deref().unwrap_or_default()),
        app_id = text(&shop.app_id),
        app_secret = text(&shop.app_secret),
        token = text(&shop.token),
        aes_key = text(shop.encoding_aes_key.as_deref().unwrap_or_default()),
        wechat_url = text(&clouds.wechat_url),
        language = text(language),
        agents = AGENTS.map(text).join(", "),
    )
}

/// A folder of the demo's own, gone when it ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Folder, Failure> {
        let path = std::env::temp_dir().join(format!("tsunagi-demo-{}", std::process::id()));
        std::fs::create_dir_all(&path).map_err(|error| {
            Failure::new(format!("{}: {error}", path.display()), "set TMPDIR to a writable folder")
        })?;
        Ok(Folder(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
