"""The snapshots of customers who are anonymized become empty: the only way in which a snapshot ever changes."""

from uuid import UUID

from service_runtime.database import Connection, Database
from service_runtime.deadline import Deadline
from service_runtime.errors import NotAccepted

BATCH_SIZE = 500

IS_NOTED = "SELECT EXISTS (SELECT FROM anonymized_customers WHERE customer_id = $1) AS is_noted"

# In transactions of their own, in this order: db/order/0011_anonymized_customers.sql says why.
NOTE = "SELECT note_anonymized_customer($1)"

ANONYMIZE = "SELECT anonymize_orders($1, $2)"


class OrderAnonymization:
    """Empties the snapshots of one customer after the other, and of orders that are still on their way in."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def anonymize(self, customer_id: UUID, deadline: Deadline) -> None:
        """Returns when no order holds anything of the person; raises NotAccepted if time is up before, and the next call goes on."""
        [row] = await self._database.fetch(IS_NOTED, customer_id)
        if not row["is_noted"]:
            await self._value(NOTE, customer_id)
        while await self._value(ANONYMIZE, customer_id, BATCH_SIZE):
            if deadline.passed():
                raise NotAccepted

    async def _value(self, sql: str, *arguments: object) -> int | None:
        async def call(connection: Connection) -> int | None:
            value: int | None = await connection.fetchval(sql, *arguments)
            return value

        return await self._database.run(call)
