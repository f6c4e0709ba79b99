//! Both clouds alone, for trying a gateway by hand: prints the addresses and runs until Ctrl-C.

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sim = sim::start(sim::SimConfig::shop()).await?;
    #[expect(clippy::print_stdout, reason = "an example talks to the terminal")]
    {
        println!("WeChat's API  {}", sim.wechat_url);
        println!("IM's REST API {}", sim.im_url);
        println!("page, control {}", sim.control_url);
    }
    tokio::signal::ctrl_c().await?;
    sim.shutdown().await;
    Ok(())
}
