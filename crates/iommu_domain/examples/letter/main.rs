//! Tells the founding letter's story on the software model: a doorbell in a hole, what went wrong with it, and how the
//! windows of today do it. `cargo run -p iommu_domain --example letter`.

mod scene;
mod story;

fn main() -> Result<(), story::Error> {
    print!("{}", story::tell()?);
    Ok(())
}

#[cfg(test)]
mod tests;
