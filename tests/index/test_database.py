import pytest
from index.database import Database
pytestmark = pytest.mark.anyio
@pytest.mark.parametrize("n", range(5))
async def test_x(database: Database, n: int) -> None:
    async with database.pool.connection() as c:
        print(await (await c.execute("select count(*) from page")).fetchone(), await (await c.execute("show hnsw.ef_search")).fetchone())
